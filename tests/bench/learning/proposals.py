"""The proposal level: what single proposals from frozen states are worth, on samples that none of them has seen."""

import datetime
import json
import os
import pathlib
import random
import tempfile
import time

import arms
import bench
import tasks
from proxy import Proxy, Upstream

LIMIT = 200  # calls; a proposal that needs more is none


def states(task, count):
    """(prompt, batch of 16 training samples), the same ones in every run: each prompt of the task in turn."""
    return [(task.prompts[i % len(task.prompts)], random.Random(f"{task.name} {i}").sample(task.train, 16)) for i in range(count)]


def last_value(folder):
    """The newest value in a run of tgd, whatever validation thought of it; None where no step made one."""
    versions = [json.loads(line) for line in (folder / "run/versions.jsonl").read_text(encoding="utf-8").splitlines()]
    values = [version["parameters"]["prompt"].get("value") for version in versions if version["kind"] != "first"]
    return next((value for value in reversed(values) if value is not None), None)


def propose(arm, task, prompt, batch, seed, url, options):
    """(the program that is proposed, or None; what else is said of it)"""
    if arm in arms.FREE:
        return arms.free(arm, prompt, task, batch if arm == "examples6" else task.train, seed), {}
    state = tasks.Task(task.name, [prompt], batch, batch[:1], [], task.tokens, task.score)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if arm in arms.PEERS:
            python = bench.cache_folder() / "venv" / arms.environment(arm) / "bin/python"
            program, ended, more = arms.run_peer(arm, python, state, url, LIMIT, seed, folder, only_proposal=True)
            return (None if ended.startswith("failed") else program), {"ended": ended, **more}
        settings = arms.merged(bench.settings_of(options)[arm], {"training": {"epochs": 1, "max_steps": 1}})
        program, ended = arms.run_tgd(options.tgd, state, url, LIMIT, seed, settings, folder)
        if ended.startswith("failed"):
            return None, {"ended": ended}
        value = last_value(folder)
        return (None if value is None else {"messages": tasks.messages(value)}), {
            "ended": ended, "version": bench.tgd_version(options.tgd), "settings": settings}


def run(options):
    for arm in options.arms:
        if arm in arms.PEERS and arm != "gepa":
            raise SystemExit(f"{arm} has no proposer that can be asked by itself; of the peers only gepa has")
    done = {(r["arm"], r["task"], r["state"], r["model"]) for r in bench.lines(options.results)}
    with bench.served(options) as (base_url, model):
        upstream = Upstream(base_url, os.environ.get("OPENAI_API_KEY"))
        scores = bench.Scores(upstream, options)
        for name in options.tasks:
            task = tasks.load(name, options.data)
            for number, (prompt, batch) in enumerate(states(task, options.states)):
                for arm in options.arms:
                    if arm == "start" or (arm, name, number, model) in done:
                        continue
                    started = time.monotonic()
                    with Proxy(upstream, bench.roles(options, task), LIMIT, number) as proxy:
                        program, more = propose(arm, task, prompt, batch, number, proxy.url, options)
                        figures = proxy.figures()
                    seconds = round(time.monotonic() - started, 1)
                    before = scores.of(task, {"messages": tasks.messages(prompt)}, task.validation)
                    after = scores.of(task, program, task.validation) if program else before
                    bench.append(options.results, {
                        "arm": arm, "task": name, "state": number, "model": model, "before": before, "after": after,
                        "proposed": program is not None, **figures, "seconds": seconds, **more, "prompt": prompt,
                        "program": program, "machine": bench.machine(), "date": f"{datetime.date.today()}"})
                    print(f"{datetime.datetime.now():%H:%M:%S} {name}, state {number}, {arm}: {before.count('1')} to "
                          f"{after.count('1')} of {len(before)}{'' if program else ' (no proposal)'}", flush=True)
