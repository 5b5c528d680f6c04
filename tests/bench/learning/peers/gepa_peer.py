"""GEPA (package gepa): its default adapter, evaluator's feedback as its documents word it, and its defaults."""

import concurrent.futures
import importlib.metadata

import gepa
from common import BudgetUsedUp, Job, prompt_program
from gepa.adapters.default_adapter.default_adapter import DefaultAdapter, EvaluationResult

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


program, ended = prompt_program(job.prompt), "done"
try:
    result = gepa.optimize(
        seed_candidate={"system_prompt": job.prompt}, trainset=rows(job.train), valset=rows(job.validation),
        adapter=Adapter(lambda messages: "", evaluate), reflection_lm=reflect, seed=job.seed, raise_on_exception=False,
        stop_callbacks=lambda state: job.used_up.is_set(), max_metric_calls=job.limit)
    program = prompt_program(result.best_candidate["system_prompt"])
except BudgetUsedUp:
    pass
job.hand_back(program, "budget" if job.used_up.is_set() else ended, version=importlib.metadata.version("gepa"))
