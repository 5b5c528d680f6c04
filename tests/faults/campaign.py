#!/usr/bin/env python3
"""Ends tgd at random moments, in all the ways in which a process ends, and looks at what is left.

  campaign.py build/fast/tgd                      a few of each, as the tests do
  campaign.py build/fast/tgd --signals 200 --ends 500 --kills 500

signals: each command gets --signals signals (INT, TERM, HUP, PIPE) between its start and its end, and has to end by itself, with a
         status that `tgd --help` lists.
ends:    --ends runs of `optimize` and `predict` are killed, interrupted or run with closed or full standard streams. None may leave
         anything but a folder that can be gone on with, to the same end as the run that nobody disturbed.
kills:   --kills runs of `optimize` against a server that counts are killed up to 14 times each, with a gate, a search, two stages, a
         cache, a recording or a budget. Each has to come to the same files as the run that nobody disturbed, to be asked nothing
         twice but what was on its way when it was killed, and to pass no budget; a recorded one has to replay.
prune:   `cache prune` is killed; the cache has to be whole.

Exit status: 0 all of it was so, 1 not. With --seed the moments are drawn again; the machine's own timing is not."""

import argparse
import collections
import concurrent.futures
import hashlib
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
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

    def start(self, arguments, folder, closed=(), full=False, out=os.devnull):
        """closed: of 0, 1 and 2. What is said on standard error is kept."""
        def close():
            for number in closed:
                os.close(number)
        err = tempfile.TemporaryFile()
        with open("/dev/full" if full else out, "w") as stdout:
            process = subprocess.Popen([self.path, *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=err,
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
        return self.ended(process, status)

    @staticmethod
    def ended(process, status):
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


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Answers by what it is asked alone, and counts. The path in front of /v1 tells runs apart."""

    protocol_version = "HTTP/1.1"
    asked = collections.defaultdict(collections.Counter)
    lock = threading.Lock()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = hashlib.sha256(body).hexdigest()
        path = self.path.split("/")[1]
        with self.lock:
            self.asked[path][key] += 1
            attempt = self.asked[path][key]
        self.answer(path, json.loads(body), key, attempt)

    def answer(self, path, request, key, attempt):
        time.sleep(int(key[:2], 16) / 256 * 0.02)
        purpose, content = self.content(request["messages"][-1]["content"], key)
        reply = json.dumps({"id": "1", "object": "chat.completion", "model": "counting", "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 3, "total_tokens": 103}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    @staticmethod
    def content(text, key):
        """What the request is for, and the reply to it."""
        tags = re.search(r"between (<(\w+)>) and (</\2>)\.\s*$", text)
        ticket = re.match(r"Ticket (\d+): ", text.rsplit("\n", 1)[-1])
        if tags:
            return "optimize", f"{tags[1]}Answer billing or shipping. Version {key[:6]}.{tags[3]}"
        if ticket:
            right = "billing" if int(ticket[1]) % 2 == 0 else "shipping"
            return "forward", right if int(key[2:4], 16) > 90 else "other"
        return "backward", f"Name the words that decide. Note {key[:4]}."

    def log_message(self, *_):
        pass

    @classmethod
    def total(cls, path):
        with cls.lock:
            return sum(cls.asked[path].values())


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass  # a client that was killed


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
        # A reader that was killed leaves its lock file, which holds nobody up.
        if left != sorted(path.name for path in (self.recorded / "run").iterdir() if path.name not in ("run.cassette", "run.lock")):
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

    # ---- Kills ----

    KINDS = ("plain", "gate", "search", "stages", "cache", "record", "budget")
    BUDGET = 90

    def write_counted(self, folder, kind, path):
        write_task(folder, cache=kind == "cache")
        task = json.loads((folder / "task.json").read_text())
        task["models"] = {"student": {"provider": "openai", "model": "counting", "max_in_flight": 6,
                                      "base_url": f"http://127.0.0.1:{self.port}/{path}/v1",
                                      "price": {"input": 1, "output": 2}}}
        if kind == "gate":
            task["training"]["gate"] = {"confidence": 0.6, "proposals": 2}
        if kind == "search":
            task["training"]["search"] = {"chain": 2, "proposals": 2, "confirm": 2}
        if kind == "stages":
            task["stages"] = [{"name": "draft", "messages": task.pop("messages")},
                              {"name": "final", "messages": [{"role": "user", "content": "{ticket} Draft: {draft}"}]}]
        if kind == "budget":
            task["budget"] = {"calls": self.BUDGET}
        (folder / "task.json").write_text(json.dumps(task))

    @staticmethod
    def files(run):
        """All that a run leaves, without times, and without what was abandoned."""
        result = json.loads((run / "result.json").read_text())
        for name in ("seconds", "run_folder", "abandoned"):
            result.pop(name, None)
        all_files = {"result.json": result}
        for name in ("metrics.jsonl", "versions.jsonl", "samples.jsonl", "calls.jsonl"):
            lines = [json.loads(line) for line in (run / name).read_text().splitlines()]
            for line in lines:
                for name_of in ("seconds", "timestamp", "tgd.latency_s", "tgd.request.hash"):  # which holds the path
                    line.pop(name_of, None)
            if name == "calls.jsonl":  # which come in any order
                lines = sorted(json.dumps(line, sort_keys=True) for line in lines)
            all_files[name] = lines
        return all_files

    def undisturbed(self, kind):
        folder = self.base / f"whole-{kind}"
        folder.mkdir()
        self.write_counted(folder, kind, folder.name)
        began = time.monotonic()
        self.program.run(["optimize", "task.json", "--run-dir", "run"] + ["--record"] * (kind == "record"), folder)
        return self.files(folder / "run"), Endpoint.total(folder.name), time.monotonic() - began

    def kill(self, kind, draw):
        whole, asked, seconds = self.whole_runs[kind]
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"kill-{kind}-", dir=self.base))
        run = folder / "run"
        self.write_counted(folder, kind, folder.name)
        for _ in range(draw.randint(1, 14)):
            arguments = self.how_to_optimize(run)
            if arguments[1] == "task.json" and run.exists():
                shutil.rmtree(run)
            process = self.program.start(arguments + ["--record"] * (kind == "record" and arguments[1] == "task.json"), folder)
            time.sleep(draw.uniform(0, 1) ** 2 * seconds)
            process.send_signal(draw.choice([signal.SIGKILL] * 3 + [signal.SIGTERM]))
            self.program.end(process)
            self.counts[f"kills of {kind}"] += 1
        arguments = self.how_to_optimize(run)
        if arguments[1] == "task.json" and run.exists():
            shutil.rmtree(run)
        self.program.run(arguments + ["--record"] * (kind == "record" and arguments[1] == "task.json"), folder)
        sent = Endpoint.total(folder.name)
        abandoned = json.loads((run / "result.json").read_text()).get("abandoned", {}).get("calls", 0)
        if kind == "budget":
            if sent > self.BUDGET:
                raise Fault(f"{run}: {sent} calls were sent with a budget of {self.BUDGET}")
        else:
            files = self.files(run)
            for name, content in whole.items():
                if files[name] != content:
                    raise Fault(f"{run / name} is another one: {self.difference(content, files[name])}")
            # Of an endpoint that was killed off, a call may have left and not arrived.
            if sent > asked + abandoned:
                raise Fault(f"{run}: {sent} calls were sent, {asked} are needed, and {abandoned} were on their way at a kill")
        if kind == "record":
            replayed = subprocess.run([self.program.path, "replay", "run"], cwd=folder, capture_output=True, text=True)
            if replayed.returncode != 0:
                raise Fault(f"{run} cannot be replayed: {replayed.stdout}{replayed.stderr}")
        shutil.rmtree(folder)

    @staticmethod
    def difference(wanted, found):
        if isinstance(wanted, dict):
            return {name: (wanted[name], found.get(name)) for name in wanted if wanted[name] != found.get(name)}
        for number, (one, other) in enumerate(zip(wanted, found)):
            if one != other:
                return f"line {number + 1}: {one} is {other}"
        return f"{len(wanted)} lines are {len(found)}"

    def kills(self, count, pool):
        server = QuietServer(("127.0.0.1", 0), Endpoint)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kinds = self.KINDS[:max(1, min(count, len(self.KINDS)))]
        self.whole_runs = {kind: self.undisturbed(kind) for kind in kinds}
        return [pool.submit(self.kill, kinds[i % len(kinds)], random.Random(f"{self.seed} kill {i}")) for i in range(count)]

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
    options.add_argument("--kills", type=int, default=int(os.environ.get("TGD_FAULT_KILLS", 7)))
    options.add_argument("--prunes", type=int, default=int(os.environ.get("TGD_FAULT_PRUNES", 5)))
    options.add_argument("--seed", default=str(time.time_ns()))
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    given = options.parse_args()
    print(f"seed {given.seed}", flush=True)
    faults = 0
    with tempfile.TemporaryDirectory(prefix="tgd-faults-") as base:
        campaign = Campaign(given.program, pathlib.Path(base), given.seed)
        with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
            jobs = campaign.signals(given.signals, pool) + campaign.ends(given.ends, pool) + campaign.kills(given.kills, pool) + campaign.prunes(given.prunes, pool)
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
