#!/usr/bin/env python3
"""A round of the proposal level and a short end-to-end run of tgd a task, recorded with a real model, replayed without one.

  cassettes.py TGD        replays what is in cassettes/: prompts, scores and counts have to come out the same
  bench.py record …       records them anew, which is due when a text of prompts/ or what tgd asks for has changed"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE / "cassettes"
# What a replay reads; all else of a run is made of these, or only for people.
KEPT = ["run.cassette", "result.json", "metrics.jsonl", "parameters.json", "config.json", "task.json"]
URL = "http://127.0.0.1:9/v1"  # where nobody answers


def record(options):
    import bench
    import arms
    import tasks
    from proxy import Proxy, Upstream

    with bench.served(options) as (base_url, _):
        upstream = Upstream(base_url, os.environ.get("OPENAI_API_KEY"))
        for name in options.tasks:
            whole = tasks.load(name, options.data)
            for kind, train, validation, training in (
                    ("proposal", whole.train[:16], whole.train[:1], {"epochs": 1, "max_steps": 1}),
                    ("run", whole.train[:12], whole.validation[:8], {"epochs": 1, "batch_size": 6, "validate_every": 1})):
                task = tasks.Task(name, whole.prompts, train, validation, [], whole.tokens, whole.score)
                with tempfile.TemporaryDirectory() as scratch, Proxy(upstream, bench.roles(options, task), None, 1) as proxy:
                    scratch = pathlib.Path(scratch)
                    _, ended = arms.run_tgd(options.tgd, task, proxy.url, 200, 1, {"training": training}, scratch,
                                            record=True)
                    if ended != "done":
                        raise SystemExit(f"{name}: {ended}")
                    to = FOLDER / f"{name}-{kind}"
                    shutil.rmtree(to, ignore_errors=True)
                    (to / "run").mkdir(parents=True)
                    for path in [*(scratch / "run" / name for name in KEPT), scratch / "task.json", *scratch.glob("*.jsonl")]:
                        text = path.read_text(encoding="utf-8").replace(proxy.url, URL)
                        (to / path.relative_to(scratch)).write_text(text, encoding="utf-8")
                    print(f"{name}, {kind}: {proxy.total()} calls", flush=True)


def replay(program):
    """The number of recordings that do not come out the same."""
    failed = 0
    for folder in sorted(path.parent.parent for path in FOLDER.glob("*/run/run.cassette")):
        with tempfile.TemporaryDirectory() as scratch:
            copy = pathlib.Path(scratch) / folder.name
            shutil.copytree(folder, copy)
            result = subprocess.run([program, "replay", "--quiet", copy / "run"], capture_output=True, text=True)
        print(f"{folder.name}: {(result.stdout + result.stderr).strip()}", flush=True)
        failed += result.returncode != 0
    return failed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not any(FOLDER.glob("*/run/run.cassette")):
        print("skipped: nothing is recorded in cassettes/")
        sys.exit(77)
    if replay(os.path.abspath(sys.argv[1])):
        sys.exit("What tgd asks a model for has changed since these were recorded. Where that is meant: bench.py record")
