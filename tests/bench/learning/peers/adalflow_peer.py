"""AdalFlow (package adalflow): its tutorial's trainer with text gradients on the system prompt, in the "constrained" strategy."""

import dataclasses
import importlib.metadata
import re

import tiktoken


class Words:
    """Counts tokens for AdalFlow's logs: the table of tiktoken would be downloaded."""

    def __init__(self, *_):
        pass

    def encode(self, text, **_):
        return text.split()


tiktoken.get_encoding = Words

import adalflow
from adalflow.core.model_client import ModelClient
from adalflow.core.types import GeneratorOutput, ModelType
from common import BudgetUsedUp, Job, prompt_program

TEMPLATE = """<START_OF_SYSTEM_PROMPT>
{{system_prompt}}
<END_OF_SYSTEM_PROMPT>
<START_OF_USER>
{{input_str}}
<END_OF_USER>
"""
job = Job()


class Client(ModelClient):
    """The proxy. What stands between a template's tags is a message."""

    def __init__(self, role):
        super().__init__()
        self.role = role

    def convert_inputs_to_api_kwargs(self, input=None, model_kwargs={}, model_type=ModelType.UNDEFINED):
        parts = [re.search(f"<START_OF_{name}>(.*)<END_OF_{name}>", input, re.DOTALL) for name in ("SYSTEM_PROMPT", "USER")]
        found = [part.group(1).strip() for part in parts if part]
        roles = ("system", "user") if len(found) == 2 else ("user",)
        return {"messages": [{"role": role, "content": text} for role, text in zip(roles, found or [input])]}

    def call(self, api_kwargs={}, model_type=ModelType.UNDEFINED):
        return job.ask(self.role, api_kwargs["messages"])

    def parse_chat_completion(self, completion):
        return GeneratorOutput(raw_response=completion)


@dataclasses.dataclass
class Example(adalflow.DataClass):
    id: str = ""
    question: str = ""
    answer: str = ""


def accuracy(y, y_gt):
    return float(job.is_right(str(y or ""), y_gt))


class Pipeline(adalflow.Component):
    def __init__(self):
        super().__init__()
        self.prompt = adalflow.Parameter(data=job.prompt, requires_opt=True, param_type=adalflow.ParameterType.PROMPT,
                                         role_desc="To give task instruction to the language model in the system prompt")
        self.llm = adalflow.Generator(model_client=Client("student"), model_kwargs={"model": "student"}, template=TEMPLATE,
                                      prompt_kwargs={"system_prompt": self.prompt}, use_cache=False)

    def bicall(self, text, id=None):
        return self.llm(prompt_kwargs={"input_str": text}, id=id)


class Task(adalflow.AdalComponent):
    def __init__(self):
        config = {"model_client": Client("teacher"), "model_kwargs": {"model": "teacher"}}
        super().__init__(task=Pipeline(), eval_fn=accuracy, backward_engine_model_config=config, text_optimizer_model_config=config,
                         loss_fn=adalflow.EvalFnToTextLoss(eval_fn=accuracy, eval_fn_desc="exact_match: 1 if str(y) == str(y_gt) else 0"))

    def prepare_task(self, sample):
        return self.task.bicall, {"text": sample.question, "id": sample.id}

    def prepare_eval(self, sample, y_pred):
        return self.eval_fn, {"y": y_pred.data if y_pred is not None else None, "y_gt": sample.answer}

    def prepare_loss(self, sample, pred):
        target = adalflow.Parameter(name="y_gt", data=sample.answer, eval_input=sample.answer, requires_opt=False)
        pred.eval_input = pred.data
        return self.loss_fn, {"kwargs": {"y": pred, "y_gt": target}, "id": sample.id}


def rows(name, part):
    return [Example(id=f"{name}{i}", question=row["text"], answer=row["label"]) for i, row in enumerate(part)]


task = Task()
trainer = adalflow.Trainer(adaltask=task, strategy="constrained", max_steps=12, num_workers=8, ckpt_path="checkpoints")
program = prompt_program(job.prompt)
try:
    trainer.fit(train_dataset=rows("train", job.train), val_dataset=rows("validation", job.validation))
except BudgetUsedUp:
    pass
# A proposal is in the parameter only when it did better on validation; what is asked beyond the budget scores nothing.
program = prompt_program(str(task.task.prompt.data))
job.hand_back(program, "budget" if job.used_up.is_set() else "done", version=importlib.metadata.version("adalflow"))
