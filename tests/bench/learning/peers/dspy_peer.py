"""DSPy (package dspy): MIPROv2 and BootstrapFewShotWithRandomSearch at their defaults, on dspy.Predict with the start prompt as its
instructions. The start is a program of DSPy's own, for its adapter says by itself how the reply has to look."""

import copy
import importlib.metadata
import random

import dspy
from common import Job

job = Job()


class Stop(BaseException):
    """The budget is used up. No Exception, for those the optimizers take for failed samples and go on."""


class LM(dspy.LM):
    def forward(self, *arguments, **more):
        if job.used_up.is_set():
            raise RuntimeError("the budget is used up")
        try:
            return super().forward(*arguments, **more)
        except Exception as problem:
            if "is used up" in str(problem):
                job.used_up.set()
            raise


def model(role):
    return LM(f"openai/{role}", api_base=job.base_url, api_key="none", cache=False, num_retries=0, timeout=3600)


def examples(part):
    return [dspy.Example(text=row["text"], label=row["label"]).with_inputs("text") for row in part]


def metric(example, prediction, trace=None):
    return job.is_right(str(prediction.label), example.label)


def program_of(module):
    messages = dspy.ChatAdapter().format(module.signature, module.demos, {"text": "{text}"})
    return {"messages": [{"role": m["role"], "content": m["content"]} for m in messages],
            "pattern": r"\[\[ ## label ## \]\]\s*(.*?)\s*(?:\[\[|$)"}


student, teacher = model("student"), model("teacher")
dspy.configure(lm=student)
start = dspy.Predict(dspy.Signature("text -> label", job.prompt))
best = (-1.0, start)
evaluate = dspy.Evaluate.__call__


def noted(self, program, *arguments, **more):
    """Evaluates as DSPy does, and remembers the best program that all of validation was spent on."""
    global best
    try:
        result = evaluate(self, program, *arguments, **more)
    except Exception:
        if job.used_up.is_set():
            raise Stop from None
        raise
    if job.used_up.is_set():
        raise Stop
    if len(result.results) >= len(job.validation) and result.score > best[0]:
        best = (result.score, copy.deepcopy(program))
    return result


dspy.Evaluate.__call__ = noted
ended = "done"
try:
    if job.arm == "miprov2":
        optimizer = dspy.MIPROv2(metric=metric, prompt_model=teacher, task_model=student, seed=job.seed, num_threads=8)
        best = (101.0, optimizer.compile(start, trainset=examples(job.train), valset=examples(job.validation)))
    else:
        optimizer = dspy.BootstrapFewShotWithRandomSearch(metric=metric, num_threads=8)
        rows = examples(job.train)
        random.Random(job.seed).shuffle(rows)  # it has no seed of its own
        best = (101.0, optimizer.compile(start, trainset=rows, valset=examples(job.validation)))
except Stop:
    ended = "budget"
job.hand_back(program_of(best[1]), ended, version=importlib.metadata.version("dspy"))
