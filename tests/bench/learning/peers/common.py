"""What the peers' programs share; each runs in its package's own virtual environment.

  python <peer>.py JOB.json RESULT.json

The job has the task, the proxy's URL and the seed. The result is the program that the peer hands back, {"messages", "pattern"?}: its
best so far when the budget was used up before it was done."""

import json
import sys
import threading
import urllib.error
import urllib.request


class BudgetUsedUp(Exception):
    pass


class Job:
    def __init__(self):
        with open(sys.argv[1], encoding="utf-8") as file:
            self.__dict__.update(json.load(file))
        self.used_up = threading.Event()

    def ask(self, role, messages, **args):
        """A reply's text. No more is asked when the budget is used up."""
        if self.used_up.is_set():
            raise BudgetUsedUp
        body = json.dumps({"model": role, "messages": messages, **args}).encode()
        request = urllib.request.Request(self.base_url + "/chat/completions", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=3600) as response:
                return json.load(response)["choices"][0]["message"]["content"] or ""
        except urllib.error.HTTPError as problem:
            text = problem.read().decode(errors="replace")
            if "budget_used_up" in text:
                self.used_up.set()
                raise BudgetUsedUp from None
            raise RuntimeError(f"status {problem.code}: {text[:500]}") from None

    def is_right(self, reply, label):
        reply = reply.strip()
        if self.score == "exact":
            return reply == label
        try:
            return float(reply) == float(label)
        except ValueError:
            return False

    def hand_back(self, program, ended, **more):
        with open(sys.argv[2], "w", encoding="utf-8") as file:
            json.dump({"program": program, "ended": ended, **more}, file, ensure_ascii=False)


def prompt_program(prompt):
    return {"messages": [{"role": "system", "content": prompt}, {"role": "user", "content": "{text}"}]}
