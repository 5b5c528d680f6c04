"""The arms: each is given a task, an endpoint that counts, a budget and a seed, and hands back a program."""

import json
import os
import pathlib
import random
import subprocess
import tempfile

import tasks

HERE = pathlib.Path(__file__).resolve().parent
# peer: (its program, the packages of its virtual environment)
PEERS = {
    "gepa": ("gepa_peer.py", ["gepa==0.1.4"]),
    "miprov2": ("dspy_peer.py", ["dspy==3.4.1", "optuna==5.0.0"]),
    "bootstrap": ("dspy_peer.py", ["dspy==3.4.1", "optuna==5.0.0"]),
    "textgrad": ("textgrad_peer.py", ["textgrad==0.1.8"]),
    "adalflow": ("adalflow_peer.py", ["adalflow==1.1.3", "openai==3.57.0"]),
}
FREE = ("start", "sentence", "examples6")


def environment(name):
    """Of a peer's virtual environment."""
    return PEERS[name][1][0].split("==")[0]


def form_sentence(task):
    labels = task.labels()
    if task.score == "number":
        return "Reply with a number in digits and nothing else."
    return f"Reply with exactly one of these and nothing else: {', '.join(labels)}."


def balanced(rows, count, seed):
    """Rows in seeded order, of each label in turn."""
    chance = random.Random(seed)
    rows = chance.sample(rows, len(rows))
    labels = sorted({row["label"] for row in rows})
    chance.shuffle(labels)
    by_label = {label: [row for row in rows if row["label"] == label] for label in labels}
    chosen = []
    while len(chosen) < min(count, len(rows)):
        for label in labels:
            if by_label[label] and len(chosen) < count:
                chosen.append(by_label[label].pop(0))
    return chosen


def free(name, prompt, task, rows, seed):
    """What costs no call: nothing at all, a sentence on the form of the reply, or six labelled samples as examples."""
    if name == "sentence":
        prompt = f"{prompt}\n\n{form_sentence(task)}"
    elif name == "examples6":
        shown = [f"Text: {row['text']}\nReply: {row['label']}" for row in balanced(rows, 6, seed)]
        prompt = f"{prompt}\n\nExamples:\n\n" + "\n\n".join(shown)
    return {"messages": tasks.messages(prompt)}


def merged(value, patch):
    """JSON merge patch."""
    if not isinstance(patch, dict):
        return patch
    value = dict(value) if isinstance(value, dict) else {}
    for key, item in patch.items():
        if item is None:
            value.pop(key, None)
        else:
            value[key] = merged(value.get(key), item)
    return value


def tgd_task(task, base_url, limit, seed, settings):
    """A task as `tgd init` writes one, with the bench's data and models, and the settings of an arm over it."""
    def model(name):
        return {"provider": "openai", "model": name, "base_url": base_url, "max_in_flight": 8, "timeout_seconds": 3600,
                "max_retry_time_seconds": 7200}
    document = {
        "name": task.name,
        # The bench scores the test part; what tgd wants to measure there is a sample whose reply the cache has from validation.
        "data": {"train": "train.jsonl", "validation": "validation.jsonl", "test": "test.jsonl", "inputs": {"text": "text"},
                 "target": "label"},
        "parameters": {"prompt": {"role": "system prompt of a program that reads the text and answers with the label",
                                  "value": task.prompts[0]}},
        "messages": [{"role": "system", "content": "{prompt}"}, {"role": "user", "content": "{text}"}],
        "evaluator": {"type": "number"} if task.score == "number" else {"type": "exact_match"},
        "models": {"student": model("student"), "teacher": model("teacher")},
        "optimizer": {"momentum": 3, "constraints": [{"max_length": 1500}]},
        "training": {"epochs": 4, "batch_size": 16, "seed": seed},
        "budget": {"calls": limit},
        "cache": "replies.db",
    }
    return merged(document, settings)


def run_tgd(program, task, base_url, limit, seed, settings, keep=None, record=False):
    """(the program that tgd hands back, how it ended)"""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for part, chosen in (("train", task.train), ("validation", task.validation), ("test", task.validation[:1])):
            rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in chosen)
            (folder / f"{part}.jsonl").write_text(rows, encoding="utf-8")
        document = tgd_task(task, base_url, limit, seed, settings)
        (folder / "task.json").write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
        command = [str(program), "optimize", "task.json", "--run-dir", "run", "--json"] + (["--record"] if record else [])
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True,
                                env={**os.environ, "OPENAI_API_KEY": "none", "no_proxy": "127.0.0.1"})
        (folder / "said.txt").write_text(result.stdout + result.stderr, encoding="utf-8")
        handed = folder / "run/prompt.txt"
        if not handed.exists():
            return task.start, f"failed: {last_line(result.stderr)}"
        ended = "done" if result.returncode == 0 else f"status {result.returncode}: {last_line(result.stderr)}"
        return {"messages": tasks.messages(handed.read_text(encoding="utf-8").removesuffix("\n"))}, ended


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else ""


def run_peer(name, python, task, base_url, limit, seed, keep=None, only_proposal=False):
    """(the program that the peer hands back, how it ended, its version and what else it says)"""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        job = {"arm": name, "prompt": task.prompts[0], "train": task.train, "validation": task.validation, "score": task.score,
               "base_url": base_url, "limit": limit, "seed": seed, "only_proposal": only_proposal}
        (folder / "job.json").write_text(json.dumps(job, ensure_ascii=False), encoding="utf-8")
        with open(folder / "said.txt", "w", encoding="utf-8") as said:
            # Nothing outside is asked for prices of models or for news.
            env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1",
                   "OPENAI_API_KEY": "none", "DSPY_CACHEDIR": str(folder / "cache"), "PYTHONHASHSEED": "0"}
            status = subprocess.run([str(python), str(HERE / "peers" / PEERS[name][0]), str(folder / "job.json"),
                                     str(folder / "result.json")], cwd=folder, env=env, stdout=said, stderr=said).returncode
        path = folder / "result.json"
        if not path.exists():
            why = last_line((folder / "said.txt").read_text(encoding="utf-8", errors="replace"))
            return task.start, f"failed with status {status}: {why}", {}
        result = json.loads(path.read_text(encoding="utf-8"))
        return result.pop("program"), result.pop("ended"), result
