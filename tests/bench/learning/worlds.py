#!/usr/bin/env python3
"""Every way of searching in simulated worlds: what has to hold whatever a model replies.

  worlds.py TGD [--worlds 200] [--first 0]

A world is a draw of the tickets and of the simulated model's slips; the settings of settings.json take turns in it. A run
has to come to the same prompts and figures when it is made twice and when calls overtake each other; when its budget is smaller it has
to keep within it, to hand back nothing that validation found worse than the start, and, gone on with, to come to where the run with the
larger budget came to. Exit status: 0 all of it was so, 1 not."""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import arms
import tasks

PLENTY = 100000


class Fault(Exception):
    pass


def task_file(number, settings, folder):
    chance = random.Random(number)
    rows = [json.loads(line) for line in (tasks.repository() / "examples/tickets/tickets.jsonl").read_text().splitlines()]
    rows = chance.sample(rows, 60)
    for part, chosen in (("train", rows[:30]), ("validation", rows[30:50]), ("test", rows[50:])):
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chosen))
    task = tasks.Task("world", [tasks.SPECS["tickets"]["prompts"][0]], [], [], [])
    document = arms.tgd_task(task, "", PLENTY, number, settings)
    document["models"] = {"student": {"provider": "simulated", "seed": number, "slip_rate": round(chance.uniform(0, 0.3), 3)}}
    document["training"]["epochs"] = 2
    document["training"]["batch_size"] = chance.choice([4, 8])
    del document["cache"]
    path = folder / "task.json"
    path.write_text(json.dumps(document))
    return path


def tgd(program, *arguments):
    result = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=600)
    if result.returncode != 0:
        raise Fault(f"tgd {' '.join(map(str, arguments))} ends with {result.returncode}: {result.stderr.strip()[-500:]}")


def outcome(run):
    """The prompts and figures of a run, and where it stood with validation before and after."""
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return (run / "parameters.json").read_text(), metrics


def result(run):
    return json.loads((run / "result.json").read_text())


def calls(run):
    return sum(result(run)["calls"].values())


def same(what, first, second):
    for name, one, other in zip(("the prompts", "the figures"), first, second):
        if one != other:
            raise Fault(f"{name} differ {what}")


def world(program, number, settings):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        task = task_file(number, settings, folder)
        tgd(program, "optimize", task, "-q", "--run-dir", folder / "whole", "--max-in-flight", 16)
        whole = outcome(folder / "whole")
        tgd(program, "optimize", task, "-q", "--run-dir", folder / "again", "--max-in-flight", 1)
        same("when calls are made one after the other", whole, outcome(folder / "again"))
        budget = max(1, int(calls(folder / "whole") * random.Random(-number - 1).uniform(0.4, 0.95)))
        tgd(program, "optimize", task, "-q", "--run-dir", folder / "short", "--max-calls", budget)
        used = calls(folder / "short")
        if used > budget:
            raise Fault(f"{used} calls were made with a budget of {budget}")
        validation = result(folder / "short")["accuracy"]["validation"]
        if validation["after"] < validation["before"]:
            raise Fault(f"the prompt that is handed back scores {validation['after']}, the start {validation['before']}")
        tgd(program, "optimize", "-q", "--resume", folder / "short", "--max-calls", PLENTY)
        same(f"after a budget of {budget} calls, gone on with", whole, outcome(folder / "short"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("--worlds", type=int, default=200, help="0: one for each setting")
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    settings = json.loads((HERE / "settings.json").read_text())
    faults = 0
    worlds = options.worlds or len(settings)
    for number in range(options.first, options.first + worlds):
        name = list(settings)[number % len(settings)]
        try:
            world(options.program, number, settings[name])
        except Fault as fault:
            faults += 1
            print(f"world {number}, {name}: {fault}", flush=True)
    print(f"{worlds} worlds, {faults} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
