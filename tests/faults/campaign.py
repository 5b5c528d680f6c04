#!/usr/bin/env python3
"""Ends tgd at random moments, in all the ways in which a process ends, and looks at what is left.

  campaign.py build/fast/tgd                      a few of each, as the tests do
  campaign.py build/fast/tgd --signals 200 --ends 500

signals: each command gets --signals signals (INT, TERM, HUP, PIPE) between its start and its end, and has to end by itself, with a
         status that `tgd --help` lists.
ends:    --ends runs of `optimize` and `predict` are killed, interrupted or run with closed or full standard streams. None may leave
         anything but a folder that can be gone on with, to the same end as the run that nobody disturbed.
prune:   `cache prune` is killed; the cache has to be whole.

Exit status: 0 all of it was so, 1 not. With --seed the moments are drawn again; the machine's own timing is not."""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

STATUSES = {0, 1, 2, 130}
PATIENCE = 120  # seconds; what takes longer hangs
# What a sanitizer or the run-time library says when something is wrong.
ALARMS = ("runtime error", "Sanitizer", "terminate called", "pure virtual", "Assertion", "basic_ios")
WORDS = {"billing": ["invoice", "refund", "payment", "charge"], "shipping": ["parcel", "courier", "delivery", "address"]}


class Fault(Exception):
    """What should not have happened, in one sentence."""


def write_task(folder, samples=24, cache=False):
    lines = []
    for i in range(samples):
        label = list(WORDS)[i % 2]
        word = WORDS[label][i // 2 % 4]
        lines.append(json.dumps({"text": f"Ticket {i}: my {word} is wrong.", "label": label}))
    (folder / "tickets.jsonl").write_text("\n".join(lines) + "\n")
    task = {
        "name": "tickets",
        "data": {"file": "tickets.jsonl", "inputs": {"ticket": "text"}, "target": "label",
                 "split": {"train": 0.5, "validation": 0.25, "test": 0.25, "seed": 1}},
        "parameters": {"rules": {"role": "rules of a classifier", "value": "Answer billing or shipping."}},
        "messages": [{"role": "system", "content": "{rules}"}, {"role": "user", "content": "{ticket}"}],
        "evaluator": {"type": "exact_match"},
        "models": {"student": {"provider": "simulated"}},
        "training": {"epochs": 1, "batch_size": 4},
    }
    if cache:
        task["cache"] = "replies.db"
    (folder / "task.json").write_text(json.dumps(task))


class Program:
    def __init__(self, path):
        self.path = path

    def start(self, arguments, folder, closed=(), full=False):
        """closed: of 0, 1 and 2. What is said on standard error is kept."""
        def close():
            for number in closed:
                os.close(number)
        err = tempfile.TemporaryFile()
        with open("/dev/full" if full else os.devnull, "w") as out:
            process = subprocess.Popen([self.path, *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                       preexec_fn=close if closed else None)
        process.err = err
        process.words = " ".join(["tgd", *map(str, arguments)])
        return process

    def end(self, process):
        """The status; a Fault for one that hangs or complains as nothing should."""
        try:
            status = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Fault(f"{process.words} hangs") from None
        process.err.seek(0)
        text = process.err.read().decode(errors="replace")
        process.err.close()
        process.said = text
        for alarm in ALARMS:
            if alarm in text:
                raise Fault(f"{process.words}: {text[-2000:]}")
        return status

    def run(self, arguments, folder, expected=0):
        process = self.start(arguments, folder)
        status = self.end(process)
        if status != expected:
            raise Fault(f"{process.words} ended with {status} and not {expected}: {process.said[-2000:]}")


def holds_signals(process):
    """Whether the program's first lines have run: what comes before them is the system's, and a signal then ends the process."""
    try:
        text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return False
    blocked = [line for line in text.splitlines() if line.startswith("SigBlk:")]
    return bool(blocked) and bool(int(blocked[0].split()[1], 16) >> (signal.SIGTERM - 1) & 1)


class Campaign:
    def __init__(self, program, base, seed):
        self.program = Program(program)
        self.base = base
        self.seed = seed
        self.counts = collections.Counter()
        self.recorded = base / "recorded"
        self.recorded.mkdir()
        write_task(self.recorded)
        began = time.monotonic()
        self.program.run(["optimize", "task.json", "--run-dir", "run", "--record"], self.recorded)
        self.run_seconds = time.monotonic() - began
        self.predict(self.recorded)
        self.whole = self.outcome(self.recorded / "run")

    def predict(self, folder):
        self.program.run(["predict", "task.json", "--input", "tickets.jsonl", "--output", "out.jsonl"], folder)

    @staticmethod
    def outcome(run):
        """What a run comes to; times and abandoned attempts apart."""
        result = json.loads((run / "result.json").read_text())
        return [(run / "metrics.jsonl").read_text(), (run / "rules.txt").read_text(), result["status"], result["accuracy"],
                result["parameters"]]

    def folder(self, name):
        folder = pathlib.Path(tempfile.mkdtemp(prefix=name + "-", dir=self.base))
        for file in ("task.json", "tickets.jsonl"):
            shutil.copy(self.recorded / file, folder)
        return folder

    # ---- Signals ----

    def commands(self):
        run = str(self.recorded / "run")
        return {
            "optimize": ["optimize", "task.json", "--run-dir", "run"],
            "evaluate": ["evaluate", "task.json", "--prompt", "first", "--prompt", run, "--output", "answers.jsonl"],
            "predict": ["predict", "task.json", "--input", "tickets.jsonl", "--output", "out.jsonl"],
            "check": ["check", "task.json"],
            "init": ["init", "tickets.jsonl", "-o", "new.json"],
            "report": ["report", run, "-o", "page.html"],
            "replay": ["replay", run],
            "schema": ["schema"],
        }

    def send(self, name, arguments, number, draw):
        folder = self.folder("signal")
        process = self.program.start(arguments, folder)
        time.sleep(draw.uniform(0, 1) ** draw.choice([1, 2]) * self.seconds[name] * 1.1)  # more of them early on
        is_ready = holds_signals(process)
        process.send_signal(number)
        if draw.random() < 0.25:
            time.sleep(draw.uniform(0, 0.05))
            process.send_signal(number)
        status = self.program.end(process)
        what = signal.Signals(number).name
        if status == -number and not is_ready:
            self.counts["before main"] += 1
        elif status not in STATUSES:
            raise Fault(f"{process.words}, sent {what}, ended with {status}: {process.said[-2000:]}")
        else:
            self.counts[f"{name} {status}"] += 1
        self.expect_no_temporary(folder)
        shutil.rmtree(folder)

    def signals(self, count, pool):
        self.seconds = {}
        for name, arguments in self.commands().items():
            folder = self.folder("time")
            began = time.monotonic()
            self.program.run(arguments, folder)
            self.seconds[name] = time.monotonic() - began
            shutil.rmtree(folder)
        jobs = []
        for name, arguments in self.commands().items():
            for i in range(count):
                draw = random.Random(f"{self.seed} {name} {i}")
                number = draw.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE])
                jobs.append(pool.submit(self.send, name, arguments, number, draw))
        return jobs

    # ---- Ends ----

    @staticmethod
    def expect_no_temporary(folder):
        left = [str(path) for path in folder.rglob("*.tmp")]
        if left:
            raise Fault(f"{left} was left")

    def disturb(self, arguments, folder, draw):
        """Once, in a way that is drawn. Whether the command came to its end."""
        ways = ["kill", "kill", "kill", "interrupt", "closed", "full"]
        way = draw.choice(ways)
        closed = draw.choice([(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)]) if way == "closed" else ()
        process = self.program.start(arguments, folder, closed=closed, full=way == "full")
        is_killed = way in ("kill", "interrupt") or draw.random() < 0.5
        ready = False
        number = 0
        if is_killed:
            time.sleep(draw.uniform(0, self.run_seconds * 1.1))
            ready = holds_signals(process)
            number = draw.choice([signal.SIGINT, signal.SIGTERM]) if way == "interrupt" else signal.SIGKILL
            process.send_signal(number)
        status = self.program.end(process)
        self.counts[f"{way}{' and killed' if is_killed and way in ('closed', 'full') else ''}"] += 1
        if status == -signal.SIGKILL or (status == -number and not ready):
            return False
        if status not in STATUSES:
            raise Fault(f"{process.words} ({way}) ended with {status}: {process.said[-2000:]}")
        if not is_killed and (1 in closed or way == "full") and status != 1:
            raise Fault(f"{process.words} ended with {status} though nobody can have read its output")
        return status in (0, 1)

    def expect_lines(self, run):
        for name in ("calls.jsonl", "metrics.jsonl", "journal.jsonl", "versions.jsonl", "samples.jsonl"):
            if not (run / name).exists():
                continue
            lines = (run / name).read_bytes().split(b"\n")
            for line in lines[:-1]:
                if not isinstance(json.loads(line), dict):
                    raise Fault(f"{run / name} holds {line!r}")

    def end_optimize(self, draw):
        folder = self.folder("end")
        run = folder / "run"
        for _ in range(draw.randint(1, 3)):
            self.disturb(self.how_to_optimize(run), folder, draw)
            self.expect_no_temporary(folder)
            self.expect_lines(run)
        self.program.run(self.how_to_optimize(run), folder)
        if self.outcome(run) != self.whole:
            raise Fault(f"{run} came to another end: {self.outcome(run)}")
        left = sorted(path.name for path in run.iterdir())
        if left != sorted(path.name for path in (self.recorded / "run").iterdir() if path.name != "run.cassette"):
            raise Fault(f"{run} holds other files: {left}")
        shutil.rmtree(folder)

    @staticmethod
    def how_to_optimize(run):
        if (run / "task.json").exists():
            return ["optimize", "--resume", "run"]
        return ["optimize", "task.json", "--run-dir", "run"]

    def end_predict(self, draw):
        folder = self.folder("predict")
        arguments = ["predict", "task.json", "--input", "tickets.jsonl", "--output", "out.jsonl", "--resume"]
        for _ in range(draw.randint(1, 3)):
            self.disturb(arguments, folder, draw)
        self.program.run(arguments, folder)
        if (folder / "out.jsonl").read_bytes() != (self.recorded / "out.jsonl").read_bytes():
            raise Fault(f"{folder / 'out.jsonl'} is another one")
        shutil.rmtree(folder)

    def ends(self, count, pool):
        jobs = []
        for i in range(count):
            draw = random.Random(f"{self.seed} end {i}")
            jobs.append(pool.submit(self.end_predict if i % 4 == 3 else self.end_optimize, draw))
        return jobs

    # ---- Prune ----

    def prune(self, draw):
        folder = self.folder("prune")
        shutil.copy(self.cache / "replies.db", folder)
        process = self.program.start(["cache", "prune", "replies.db", "--keep", "3"], folder)
        time.sleep(draw.uniform(0, self.prune_seconds * 1.1))
        process.kill()
        self.program.end(process)
        self.program.run(["cache", "stats", "replies.db"], folder)
        with sqlite3.connect(folder / "replies.db") as database:
            state = database.execute("PRAGMA integrity_check").fetchone()[0]
            size = database.execute("SELECT count(*) FROM replies").fetchone()[0]
        database.close()
        if state != "ok" or size not in (3, self.cached):
            raise Fault(f"the cache is {state} and has {size} replies of {self.cached}")
        self.counts[f"cache left with {'all' if size > 3 else 'the newest'}"] += 1
        shutil.rmtree(folder)

    def prunes(self, count, pool):
        self.cache = self.base / "cache"
        self.cache.mkdir()
        write_task(self.cache, samples=400, cache=True)
        self.program.run(["evaluate", "task.json", "--split", "all"], self.cache)
        with sqlite3.connect(self.cache / "replies.db") as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.cached = database.execute("SELECT count(*) FROM replies").fetchone()[0]
        database.close()
        folder = self.folder("time")
        shutil.copy(self.cache / "replies.db", folder)
        began = time.monotonic()
        self.program.run(["cache", "prune", "replies.db", "--keep", "3"], folder)
        self.prune_seconds = time.monotonic() - began
        return [pool.submit(self.prune, random.Random(f"{self.seed} prune {i}")) for i in range(count)]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("program", type=os.path.abspath)
    options.add_argument("--signals", type=int, default=int(os.environ.get("TGD_FAULT_SIGNALS", 5)), help="for each command")
    options.add_argument("--ends", type=int, default=int(os.environ.get("TGD_FAULT_ENDS", 12)))
    options.add_argument("--prunes", type=int, default=int(os.environ.get("TGD_FAULT_PRUNES", 5)))
    options.add_argument("--seed", default=str(time.time_ns()))
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    given = options.parse_args()
    print(f"seed {given.seed}", flush=True)
    faults = 0
    with tempfile.TemporaryDirectory(prefix="tgd-faults-") as base:
        campaign = Campaign(given.program, pathlib.Path(base), given.seed)
        with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
            jobs = campaign.signals(given.signals, pool) + campaign.ends(given.ends, pool) + campaign.prunes(given.prunes, pool)
            for job in concurrent.futures.as_completed(jobs):
                try:
                    job.result()
                except Exception as fault:  # of the script, too
                    faults += 1
                    print(f"FAULT: {fault!r}", flush=True)
    for what, count in sorted(campaign.counts.items()):
        print(f"{count:6} {what}")
    print(f"{len(jobs)} tried, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
