"""GEPA (package gepa): its default adapter, evaluator's feedback as its documents word it, and its defaults."""

import concurrent.futures
import importlib.metadata

import gepa
from common import BudgetUsedUp, Job, prompt_program
from gepa.adapters.default_adapter.default_adapter import DefaultAdapter, EvaluationResult
from gepa.strategies.instruction_proposal import InstructionProposalSignature

job = Job()


def evaluate(data, reply):
    if job.is_right(reply, data["answer"]):
        return EvaluationResult(1.0, f"The generated response is correct. The response is the correct answer '{data['answer']}'")
    return EvaluationResult(0.0, f"The generated response is incorrect. The correct answer is '{data['answer']}'. Ensure that the "
                                 "response is the correct answer exactly as it is.")


class Adapter(DefaultAdapter):
    """The default one, with a batch's calls at once."""

    def evaluate(self, batch, candidate, capture_traces=False):
        prompt = next(iter(candidate.values()))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            replies = iter(list(pool.map(lambda data: job.ask("student", [{"role": "system", "content": prompt},
                                                                          {"role": "user", "content": data["input"]}]), batch)))
        self.model = lambda messages: next(replies)
        return super().evaluate(batch, candidate, capture_traces)


def reflect(prompt):
    messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    return job.ask("teacher", messages)


def rows(part):
    return [{"input": row["text"], "answer": row["label"], "additional_context": {}} for row in part]


def proposal():
    """One of GEPA's proposer, from as many samples of the batch as GEPA takes."""
    adapter, candidate = Adapter(lambda messages: "", evaluate), {"system_prompt": job.prompt}
    batch = adapter.evaluate(rows(job.train[:3]), candidate, capture_traces=True)
    records = adapter.make_reflective_dataset(candidate, batch, ["system_prompt"])["system_prompt"]
    made = InstructionProposalSignature.run(lm=reflect, input_dict={
        "current_instruction_doc": job.prompt, "dataset_with_feedback": records, "prompt_template": None})
    return prompt_program(made["new_instruction"])


version = importlib.metadata.version("gepa")
if job.only_proposal:
    job.hand_back(proposal(), "done", version=version)
    raise SystemExit
program = prompt_program(job.prompt)
try:
    result = gepa.optimize(
        seed_candidate={"system_prompt": job.prompt}, trainset=rows(job.train), valset=rows(job.validation),
        adapter=Adapter(lambda messages: "", evaluate), reflection_lm=reflect, seed=job.seed, raise_on_exception=False,
        stop_callbacks=lambda state: job.used_up.is_set(), max_metric_calls=job.limit)
    program = prompt_program(result.best_candidate["system_prompt"])
except BudgetUsedUp:
    pass
job.hand_back(program, "budget" if job.used_up.is_set() else "done", version=version)
