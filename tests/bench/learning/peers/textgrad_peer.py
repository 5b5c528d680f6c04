"""TextGrad (package textgrad): the loop of its tutorial on optimizing a prompt. Batches of 3, the exact answer as the loss, and a step
is undone that makes validation worse."""

import concurrent.futures
import importlib.metadata
import random

import textgrad
from common import BudgetUsedUp, Job, prompt_program
from textgrad.autograd.string_based_ops import StringBasedFunction
from textgrad.engine import EngineLM


class Engine(EngineLM):
    def __init__(self, job, role):
        self.job, self.role, self.model_string, self.is_multimodal = job, role, role, False
        self.system_prompt = "You are a helpful, creative, and smart assistant."

    def generate(self, prompt, system_prompt=None, **_):
        return self.job.ask(self.role, [{"role": "system", "content": system_prompt or self.system_prompt},
                                        {"role": "user", "content": prompt}])

    def __call__(self, prompt, **more):
        return self.generate(prompt, **more)


job = Job()
student, teacher = Engine(job, "student"), Engine(job, "teacher")
textgrad.set_backward_engine(teacher, override=True)
prompt = textgrad.Variable(job.prompt, requires_grad=True,
                           role_description="structured system prompt to a somewhat capable language model that specifies the "
                                            "behavior and strategies for the QA task")
model = textgrad.BlackboxLLM(student, prompt)
optimizer = textgrad.TextualGradientDescent(engine=teacher, parameters=[prompt])
loss_of = StringBasedFunction(
    lambda prediction, ground_truth_answer: int(job.is_right(prediction.value, ground_truth_answer.value)),
    function_purpose="The runtime of string-based function that checks if the prediction is correct.")


def validation():
    def right(row):
        return job.is_right(student.generate(row["text"], prompt.value), row["label"])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return sum(pool.map(right, job.validation))


best, ended, steps, failed = job.prompt, "done", 0, []
try:
    score = validation()
    chance = random.Random(job.seed)
    for epoch in range(3):
        rows = chance.sample(job.train, len(job.train))
        for at in range(0, len(rows), 3):
            optimizer.zero_grad()
            losses = []
            for row in rows[at:at + 3]:
                text = textgrad.Variable(row["text"], requires_grad=False, role_description="query to the language model")
                target = textgrad.Variable(row["label"], requires_grad=False, role_description="correct answer for the query")
                losses.append(loss_of(inputs={"prediction": model(text), "ground_truth_answer": target}))
            try:
                textgrad.sum(losses).backward()
                optimizer.step()
            except IndexError as problem:  # the teacher's reply has no new value in its tags
                failed.append(str(problem)[:100])
                continue
            steps += 1
            after = validation()
            if after >= score:
                best, score = prompt.value, after
            else:
                prompt.set_value(best)
except BudgetUsedUp:
    ended = "budget"
job.hand_back(prompt_program(best), ended, version=importlib.metadata.version("textgrad"), steps=steps, failed_steps=len(failed))
