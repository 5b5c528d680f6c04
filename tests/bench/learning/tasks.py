"""The tasks: data, splits, start prompts of a person in a hurry, and what is right."""

import dataclasses
import json
import pathlib
import re

BANKING = ("card_arrival, card_delivery_estimate, card_not_working, card_payment_fee_charged, compromised_card, "
           "declined_card_payment, lost_or_stolen_card, pending_card_payment")
# prompts: the first is the start of an end-to-end run; frozen states of the proposal level begin with each of them.
SPECS = {
    "tweets": {"prompts": ["Read the tweet and give its sentiment.",
                           "What does the person feel who wrote this? Say positive, negative or neutral.",
                           "You classify tweets by sentiment.",
                           "Sentiment of the tweet (positive/negative/neutral), one word:"]},
    "banking": {"prompts": [f"Which of these is the message about: {BANKING}? Reply with the name only.",
                            f"Sort the customer's message. Categories: {BANKING}.",
                            "Read the message of a bank's customer and name the topic.",
                            f"Intent of the message, one of {BANKING}. Think of what the customer wants. Reply with the name only."]},
    "object_counting": {"tokens": 220, "score": "number",
                        "prompts": ["Answer the question. Reply with the number only.",
                                    "Count the things.",
                                    "Answer the question with a number.",
                                    "Add up what is asked for, step by step, then give the number."]},
    "facility_sentiment": {"prompts": ["Give the sentiment of the mail.",
                                       "Is this mail positive, neutral or negative?",
                                       "You sort mails by sentiment: positive, neutral, negative. Reply with one word.",
                                       "Read the mail to a cleaning company's support and say how the sender feels."]},
    "tickets": {"prompts": ["Sort messages from customers of a small web shop: billing, technical, shipping, account or "
                            "cancellation.",
                            "What is the message about?",
                            "You sort mail for a web shop. Reply with billing, technical, shipping, account or cancellation.",
                            "Name the department for this message: billing, technical, shipping, account, cancellation."]},
}
PART = 60  # of training and of validation


@dataclasses.dataclass
class Task:
    name: str
    prompts: list
    train: list
    validation: list
    test: list
    tokens: int = 24
    score: str = "exact"

    @property
    def start(self):
        return {"messages": messages(self.prompts[0])}

    def labels(self):
        """In the training part: nobody sees those of the others."""
        return sorted({row["label"] for row in self.train})


def messages(prompt):
    return [{"role": "system", "content": prompt}, {"role": "user", "content": "{text}"}]


def repository():
    return pathlib.Path(__file__).resolve().parents[3]


def load(name, data, test_rows=200):
    """The task, with data from the folder `data`; that of the tickets comes with the repository."""
    spec = SPECS[name]
    path = repository() / "examples/tickets/tickets.jsonl" if name == "tickets" else pathlib.Path(data) / f"{name}.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    rows = [{"text": row["text"], "label": str(row["label"])} for row in rows]
    return Task(name, spec["prompts"], rows[:PART], rows[PART:2 * PART], rows[2 * PART:2 * PART + test_rows],
                spec.get("tokens", 24), spec.get("score", "exact"))


def is_right(score, reply, label):
    reply = reply.strip()
    if score == "exact":
        return reply == label.strip()
    try:
        return float(reply) == float(label)
    except ValueError:
        return False


def request(program, text):
    """The messages of a program for a text, which the last one has a place for."""
    *before, last = program["messages"]
    return [*before, {**last, "content": last["content"].replace("{text}", text)}]


def answer(program, reply):
    """What counts of a reply: all of it, or the first group of the program's pattern where that is found."""
    if "pattern" in program:
        found = re.search(program["pattern"], reply, re.DOTALL)
        reply = found.group(1) if found else reply
    return reply.strip()
