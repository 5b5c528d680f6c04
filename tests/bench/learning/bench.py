#!/usr/bin/env python3
"""How well prompts are learned, by tgd and by others, with a real model on real tasks at equal numbers of calls.

  bench.py setup                                 the packaged server and model, a virtual environment for each peer; some GB, once
  bench.py serve                                 serves the model until it is ended; --port for a fixed one
  bench.py run --data FOLDER --tgd build/release/tgd [--arms …] [--tasks …] [--seeds 1,2,3] [--budgets 300]
  bench.py proposals --data FOLDER --tgd …       single proposals from frozen states
  bench.py run --quick …                         one task, one seed, 150 calls, 60 test samples: about 20 minutes
  bench.py rescore --data FOLDER --test 200      what has run, scored on more test samples
  bench.py record --data FOLDER --tgd …          the cassettes that the tests replay, anew
  report.py                                      the table and the plots from results/*.jsonl

run and proposals begin the server themselves, unless --base-url names an endpoint and --model a model there. A line is appended to
--results for each run that is finished; what is there is not run again, so an interrupted command is just given once more. Arms:
tgd, a setting of it from settings.json, start, sentence, examples6 (no calls), gepa, miprov2, bootstrap, textgrad, adalflow.

What is installed lies in $TGD_LEARNING_CACHE, else in ${XDG_CACHE_HOME:-~/.cache}/tgd/learning. See PLAN.md for what is compared."""

import argparse
import concurrent.futures
import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
import venv

import arms
import tasks
from proxy import Proxy, Upstream

HERE = pathlib.Path(__file__).resolve().parent
REAL = tasks.repository() / "tests/real"


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(os.environ.get("TGD_LEARNING_CACHE") or pathlib.Path(base) / "tgd/learning")


# ---- Set-up and server -------------------------------------------------------------------------------------------------------

def setup(options):
    cache = cache_folder()
    subprocess.run([sys.executable, REAL / "model.py", cache / "models", options.size], check=True)
    for environment, arm in {arms.environment(arm): arm for arm in options.arms if arm in arms.PEERS}.items():
        folder = cache / "venv" / environment
        if (folder / "complete").exists():
            continue
        print(f"installing {environment}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        *arms.PEERS[arm][1]], check=True)
        (folder / "complete").touch()


@contextlib.contextmanager
def served(options):
    """The endpoint's URL and the model's name there."""
    if options.base_url:
        yield options.base_url, options.model
        return
    cache = cache_folder()
    model = subprocess.run([sys.executable, REAL / "model.py", cache / "models", options.size], check=True, capture_output=True,
                           text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        address = pathlib.Path(folder) / "address"
        process = subprocess.Popen(
            [sys.executable, REAL / "serve.py", model, address, "--slots", str(options.slots), "--context", str(6144 * options.slots),
             "--port", str(options.port), "--threads", str(options.threads)],
            env={**os.environ, "PYTHONPATH": str(cache / "models/packages")}, stdout=open(cache / "server.log", "w"),
            stderr=subprocess.STDOUT)
        try:
            while not address.exists():
                if process.poll() is not None:
                    sys.exit(f"the server ended with status {process.returncode}; see {cache / 'server.log'}")
                time.sleep(0.2)
            yield address.read_text() + "/v1", options.model
        finally:
            process.kill()
            process.wait()


def serve(options):
    with served(options) as (url, model):
        print(f"{url} serves {model}; it ends with this program", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)


# ---- Running and scoring -----------------------------------------------------------------------------------------------------

def roles(options, task):
    return {"student": {"model": options.model, "temperature": 0, "max_tokens": task.tokens},
            "teacher": {"model": options.model, "temperature": 0.7, "max_tokens": 1024}}


class Scores:
    """What a program solves of some rows, "0110…". The student's temperature is 0, so each is asked once and kept in a file."""

    def __init__(self, upstream, options):
        self.upstream, self.options = upstream, options
        self.path = cache_folder() / "scores.jsonl"
        self.known = dict(lines(self.path))

    def of(self, task, program, rows):
        with Proxy(self.upstream, roles(self.options, task)) as proxy, concurrent.futures.ThreadPoolExecutor(8) as pool:
            return "".join(pool.map(lambda row: self.one(proxy, task, program, row), rows))

    def one(self, proxy, task, program, row):
        what = [self.options.model, task.tokens, task.score, program, row]
        key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        if key not in self.known:
            body = {"model": "student", "messages": tasks.request(program, row["text"])}
            status, reply = proxy.handle("/v1/chat/completions", body)
            if status not in (200, 400):
                raise SystemExit(f"the endpoint answers {status}: {reply}")
            # 400: a prompt that is longer than the model's window solves nothing.
            text = (reply["choices"][0]["message"]["content"] or "") if status == 200 else ""
            self.known[key] = "01"[tasks.is_right(task.score, tasks.answer(program, text), row["label"])]
            append(self.path, [key, self.known[key]])
        return self.known[key]


def append(path, value):
    """A line behind the others, in one write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab+") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
        is_broken = file.read(1) not in (b"", b"\n")  # whoever wrote it was killed
        file.write(("\n" * is_broken + json.dumps(value, ensure_ascii=False) + "\n").encode())


def lines(path):
    """Those that were written whole."""
    values = []
    for line in path.read_text(encoding="utf-8").split("\n") if path.exists() else []:
        with contextlib.suppress(ValueError):
            values.append(json.loads(line))
    return values


def machine():
    model = platform.machine()
    with contextlib.suppress(OSError):
        names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
        model = names[0] if names else model
    return {"processor": model, "processors": os.cpu_count(), "system": platform.system(), "python": platform.python_version()}


def tgd_version(program):
    """With the last change of the sources that is older than the program."""
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip()
    built = int(pathlib.Path(program).stat().st_mtime)
    commit = subprocess.run(["git", "log", "-1", "--format=%h", f"--before=@{built}", "--", "src", "include", "prompts"],
                            cwd=tasks.repository(), capture_output=True, text=True)
    return f"{version} {commit.stdout.strip()}".strip()


def settings_of(options):
    settings = json.loads((HERE / "settings.json").read_text(encoding="utf-8"))
    for given in options.setting:
        name, _, text = given.partition("=")
        settings[name] = json.loads(text)
    return settings


def run_arm(arm, task, proxy_url, budget, seed, options, keep=None, record=False):
    """(program, how it ended, the version of what ran and what else it says)"""
    if arm in arms.FREE:
        return arms.free(arm, task.prompts[0], task, task.train, seed), "done", {}
    if arm in arms.PEERS:
        python = cache_folder() / "venv" / arms.environment(arm) / "bin/python"
        return arms.run_peer(arm, python, task, proxy_url, budget, seed, keep)
    settings = settings_of(options)
    if arm not in settings:
        raise SystemExit(f'there is no arm "{arm}"; there are {", ".join([*settings, *arms.FREE, *arms.PEERS])}, and --setting '
                         "adds one")
    program, ended = arms.run_tgd(options.tgd, task, proxy_url, budget, seed, settings[arm], keep, record)
    return program, ended, {"version": tgd_version(options.tgd), "settings": settings[arm]}


def run(options):
    done = {(r["arm"], r["task"], r["seed"], r["budget"], r["model"], len(r["end"])) for r in lines(options.results)}
    with served(options) as (base_url, model):
        upstream = Upstream(base_url, os.environ.get("OPENAI_API_KEY"))
        scores = Scores(upstream, options)
        for name in options.tasks:
            task = tasks.load(name, options.data, options.test)
            for seed in options.seeds:
                for budget in options.budgets:
                    for arm in options.arms:
                        if (arm, name, seed, 0 if arm in arms.FREE else budget, model, len(task.test)) not in done:
                            one_run(arm, task, seed, 0 if arm in arms.FREE else budget, upstream, scores, options)


def rescore(options):
    """Lines whose program was scored on fewer test samples than --test are appended once more, with all of them."""
    known = lines(options.results)
    done = {(r["arm"], r["task"], r["seed"], r["budget"], r["model"], len(r["end"])) for r in known}
    with served(options) as (base_url, model):
        scores = Scores(Upstream(base_url, os.environ.get("OPENAI_API_KEY")), options)
        for line in known:
            task = tasks.load(line["task"], options.data, options.test)
            key = (line["arm"], line["task"], line["seed"], line["budget"], model, len(task.test))
            if line["model"] == model and len(line["end"]) < len(task.test) and key not in done:
                done.add(key)
                append(options.results, {**line, "start": scores.of(task, task.start, task.test),
                                         "end": scores.of(task, line["program"], task.test)})


def one_run(arm, task, seed, budget, upstream, scores, options):
    print(f"{datetime.datetime.now():%H:%M:%S} {arm}, {task.name}, seed {seed}, {budget} calls", flush=True)
    keep = options.keep / f"{arm}-{task.name}-{seed}-{budget}" if options.keep else None
    started = time.monotonic()
    with Proxy(upstream, roles(options, task), budget, seed) as proxy:
        program, ended, more = run_arm(arm, task, proxy.url, budget, seed, options, keep)
        seconds = round(time.monotonic() - started, 1)
        figures = proxy.figures()
    start = scores.of(task, task.start, task.test)
    end = scores.of(task, program, task.test)
    line = {"arm": arm, "task": task.name, "seed": seed, "budget": budget, "model": options.model, "start": start, "end": end,
            "ended": ended, **figures, "seconds": seconds, **more, "program": program, "machine": machine(),
            "date": f"{datetime.date.today()}"}
    append(options.results, line)
    print(f"         {100 * start.count('1') / len(start):.1f} % to {100 * end.count('1') / len(end):.1f} %, "
          f"{sum(figures['calls'].values())} calls, {seconds:.0f} s, {ended}", flush=True)


# ---- Command line ------------------------------------------------------------------------------------------------------------

def listed(text):
    return [item for item in text.split(",") if item]


def numbers(text):
    return [int(item) for item in listed(text)]


def parsed(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["setup", "serve", "run", "rescore", "proposals", "record"])
    parser.add_argument("--arms", type=listed)
    parser.add_argument("--tasks", type=listed, default=["tweets", "banking"])
    parser.add_argument("--seeds", type=numbers, default=[1, 2, 3])
    parser.add_argument("--budgets", type=numbers, default=[300])
    parser.add_argument("--test", type=int, default=200, help="samples of the test part, at the most")
    parser.add_argument("--states", type=int, default=20, help="of the proposal level")
    parser.add_argument("--data", type=pathlib.Path, help="the folder with the data sets; else $TGD_TEST_DATA/learning")
    parser.add_argument("--tgd", type=pathlib.Path, default=tasks.repository() / "build/release/tgd")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=JSON", help="one more arm: what it changes in tgd's task")
    parser.add_argument("--base-url", help="an endpoint to ask instead of the packaged server")
    parser.add_argument("--model", help="the model's name there")
    parser.add_argument("--size", default="1.5B", choices=["1.5B", "0.5B", "135M"], help="of the packaged model")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--slots", type=int, default=8,
                        help="of the packaged server; each reads a long prompt anew, so that few cores do better with 2 or 3")
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for what the arms leave behind")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.arms is None:
        proposing = ["sentence", "examples6", *settings_of(options), "gepa"]
        searching = ["start", "sentence", "examples6", "tgd", *arms.PEERS]
        options.arms = proposing if options.command == "proposals" else searching
    if options.quick:
        options.tasks, options.seeds, options.budgets, options.test = options.tasks[:1], [1], [150], 60
        options.states = 4
    if options.results is None:
        options.results = HERE / "results" / ("proposals.jsonl" if options.command == "proposals" else "runs.jsonl")
    if options.base_url and not options.model:
        parser.error("--base-url needs --model, the name of a model there")
    options.model = options.model or f"packaged {options.size}"
    if options.data is None:
        options.data = pathlib.Path(os.environ.get("TGD_TEST_DATA", ".")) / "learning"
    options.tgd = options.tgd.resolve()
    return options


def main():
    options = parsed(sys.argv[1:])
    if options.command == "proposals":
        import proposals
        proposals.run(options)
    elif options.command == "record":
        import cassettes
        cassettes.record(options)
    else:
        {"setup": setup, "serve": serve, "run": run, "rescore": rescore}[options.command](options)


if __name__ == "__main__":
    main()
