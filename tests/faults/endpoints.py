#!/usr/bin/env python3
"""Runs tgd against an endpoint that does all that endpoints are known to do, at random, and looks at what each run makes of it.

  endpoints.py build/fast/tgd                     a few runs, as the tests do
  endpoints.py build/fast/tgd --runs 2000 --seed 7 --jobs 8

Each run of `optimize`, `evaluate` or `predict` meets a few forms of trouble, drawn with their rates by the seed. Looked at:

  - it ends, and without a sanitizer's or the run-time library's complaint; a watchdog ends what makes no progress
  - with status 0 when nothing stood in its way that it could not get over, else with 1 and an error that names the place, the row, the
    URL and the reason, which is one that the endpoint gave
  - predictions and scores are those of the replies that were whole; a sample that has none has a problem
  - attempts, tokens and costs in its results are what the endpoint sent
  - no half text, refusal or error page becomes a prompt, a critique or a cached reply
  - no reply that had come is asked for again, also not when a run goes on that had failed

Exit status: 0 all of it was so, 1 not. The folders of the first runs that were not are kept. With --seed the same is drawn again; the
order in which requests arrive is the machine's own."""

import argparse
import collections
import concurrent.futures
import dataclasses
import datetime
import email.utils
import gzip
import hashlib
import json
import math
import os
import pathlib
import random
import re
import shutil
import socket
import struct
import sys
import tempfile
import threading
import time

from campaign import Endpoint, Fault, Program, QuietServer, write_task

# Texts that must not get any further, by what they were the reply to.
MARKS = {"forward": "Qzxf", "backward": "Qzxb", "optimize": "Qzxo"}
FIRST_PROMPT = "Answer billing or shipping."
HANG = 4.0  # seconds, the time limit of a request where endpoints hang
STANDSTILL = 60  # seconds without a request or an end: it hangs


@dataclasses.dataclass
class Asked:
    """A request, as the forms see it."""

    content: str  # of the right reply
    bad: str  # of one that must not be used
    prompt_tokens: int
    takes_gzip: bool
    takes_encodings: bool
    cost: float  # that a reply names; None: it names none


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes
    usage: dict = None  # as a client has to count it; None: none was given
    cost: float = None


def counted(given):
    """What a client counts of token figures."""
    prompt = given.get("prompt_tokens", given.get("input_tokens", 0))
    output = given.get("completion_tokens", given.get("output_tokens", 0))
    thoughts = given.get("completion_tokens_details", {}).get("reasoning_tokens", 0)
    if thoughts > output:
        output += thoughts
    return {
        "prompt_tokens": prompt,
        "completion_tokens": max(output, given.get("total_tokens", 0) - prompt),
        "reasoning_tokens": thoughts,
        "cached_prompt_tokens": given.get("prompt_tokens_details", {}).get("cached_tokens", 0),
    }


class Form:
    """A row of forms.json.

    kind: whole    the reply is right, in one of its shapes
          passing  the next attempt may be answered; asked again as often as a client asks
          outage   the same, inside a 200, and the endpoint's fault where it stays
          cut      half a reply: no further attempt; a sample goes on with a problem
          own      the request's own fault: the same
          twice    the same after one more attempt
          turned down   no further attempt; of a sample where others are answered, else the run ends
          final    no further attempt, and the run ends
    says: what an error that it ends with has to hold, a pattern.
    A completion with `finish`, `content`, and more in its `message`, its `choice` and its `usage`; or another body: `json`, `text`,
    `page`. `status`, `headers`, `type`; `framing`, `cut` (bytes after which the connection ends), `ends` (instead of any answer),
    `lies` (an encoding that it is not in). {content}, {bad}, {prompt}, {nan}, {now} and {date} are filled in."""

    def __init__(self, row):
        self.row = row
        self.name = row["name"]
        self.kind = row["kind"]
        self.says = row.get("says", "")

    def get(self, name, otherwise=None):
        return self.row.get(name, otherwise)

    def filled(self, value, asked):
        if isinstance(value, dict):
            return {name: self.filled(each, asked) for name, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each, asked) for each in value]
        numbers = {"{prompt}": asked.prompt_tokens, "{nan}": math.nan}
        if not isinstance(value, str) or value in numbers:
            return numbers.get(value, value) if isinstance(value, str) else value
        value = value.replace("{content}", asked.content).replace("{bad}", asked.bad)
        value = value.replace("{now}", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"))
        return value.replace("{date}", email.utils.formatdate(time.time() + 1, usegmt=True))

    def answer(self, asked):
        answer = self.completion(asked)
        for kind, name in (("application/json", "json"), ("text/plain", "text"), ("text/html; charset=utf-8", "page")):
            if name in self.row:
                answer = Answer(200, {"Content-Type": kind}, self.other_body(name))
        answer.status = self.get("status", 200)
        if "type" in self.row:
            answer.headers["Content-Type"] = self.row["type"]
        answer.headers.update(self.filled(self.get("headers", {}), asked))
        if "lies" in self.row:
            answer.headers["Content-Encoding"] = self.row["lies"]
        if self.get("packs") and asked.takes_gzip:
            answer.headers["Content-Encoding"] = "gzip"
            answer.body = gzip.compress(answer.body)
        return answer

    def other_body(self, name):
        text = self.row[name]
        if name == "json":
            text = json.dumps(text)
        elif name == "page":
            text = (
                f"<!DOCTYPE html>\n<html><head><title>{text}</title><style>p {{}}</style></head><body><center><h1>{text}</h1>"
                "</center><hr><p>nginx &amp; more</p></body></html>"
            )
        return text.encode()

    def completion(self, asked):
        message = {"role": "assistant", "content": self.get("content", "{content}"), **self.get("message", {})}
        choice = {"index": 0, "message": message, "finish_reason": self.get("finish", "stop"), **self.get("choice", {})}
        choices = [*self.get("choices_before", []), choice] if self.get("has_choices", True) else []
        plain = {"prompt_tokens": "{prompt}", "completion_tokens": 3, "total_tokens": asked.prompt_tokens + 3}
        usage = self.filled(self.get("usage", plain), asked)
        body = {"id": "1", "object": "chat.completion", "model": "counting", "choices": self.filled(choices, asked)}
        cost = asked.cost if usage else None
        if usage is not None:
            body["usage"] = usage if cost is None else {**usage, "cost": cost}
        text = json.dumps(body)
        answer = Answer(200, {"Content-Type": "application/json"}, (self.get("before", "") + text).encode())
        if "cut_behind" in self.row:
            end = text.index(self.row["cut_behind"]) + len(self.row["cut_behind"])
            answer.body = text[:end].encode()
        elif not self.breaks():
            answer.usage = counted(usage) if usage and not self.get("is_absurd") else None
            answer.cost = cost
        return answer

    def breaks(self):
        return "cut" in self.row or "ends" in self.row

    def is_reply(self, takes_encodings):
        """Whether it can be read, and is a reply. What lies about its encoding can be read by whoever takes none."""
        return self.kind in ("whole", "cut") or ("lies" in self.row and not takes_encodings)


FORMS = [Form(row) for row in json.loads((pathlib.Path(__file__).parent / "forms.json").read_text())]


# ---- The endpoint ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Sent:
    """What one request got."""

    key: str
    purpose: str
    ticket: int  # where it is a sample's
    form: Form
    content: str  # of the right reply
    usage: dict
    cost: float
    is_reply: bool


class Scene:
    """One run's endpoint: what it is drawn to do, and what it did."""

    def __init__(self, path, draw):
        self.path = path
        self.seed = draw.random()
        self.lock = threading.Lock()
        self.sent = []
        self.values = {FIRST_PROMPT}  # that an optimizer offered
        self.leaks = []
        self.latest = time.monotonic()
        self.refuses_system = draw.random() < 0.12
        self.names_cost = draw.random() < 0.2
        self.role_refusals = 0
        kinds = {"whole": 6, "passing": 3, "outage": 1, "own": 2, "cut": 2, "twice": 1, "turned down": 1}
        by_kind = collections.defaultdict(list)
        for each in FORMS:
            by_kind[each.kind].append(each)
        self.rates = []
        for kind, most in kinds.items():
            for each in draw.sample(by_kind[kind], draw.randint(0 if kind != "whole" else 3, most)):
                rate = draw.uniform(0.02, 0.15) if kind != "whole" else draw.uniform(0.1, 0.5)
                if kind == "outage":
                    rate /= 4
                self.rates.append((each, rate))
        if draw.random() < 0.2:
            self.rates.append((draw.choice(by_kind["final"]), 0.01))
        trouble = sum(rate for each, rate in self.rates if each.kind != "whole")
        if trouble > 0.5:
            self.rates = [(each, rate * 0.5 / trouble if each.kind != "whole" else rate) for each, rate in self.rates]
        # On a busy machine a client with a time limit gives up replies that come: no count is exact then.
        self.needs_timeout = any(each.get("ends") == "hang" for each, _ in self.rates)
        self.is_healthy = False

    def choose(self, key, attempt):
        draw = random.Random(f"{self.seed} {key} {attempt}")
        number = draw.random()
        for each, rate in self.rates:
            if each.kind != "whole":
                if number < rate and not self.is_healthy:
                    return each, draw
                number -= rate
        wholes = [(each, rate) for each, rate in self.rates if each.kind == "whole"]
        return draw.choices([each for each, _ in wholes], [rate for _, rate in wholes])[0], draw

    def note(self, entry):
        with self.lock:
            self.sent.append(entry)
            self.latest = time.monotonic()


class FaultyEndpoint(Endpoint):
    scenes = {}

    def do_GET(self):
        self.scenes[self.path.split("/")[1]].latest = time.monotonic()
        self.send_error(404)

    def answer(self, path, request, key, attempt):
        scene = self.scenes[path]
        messages = request["messages"]
        text = "\n".join(message["content"] for message in messages)
        # The same for a request whose system message was folded into the user's.
        right_key = hashlib.sha256(re.sub(r"\s+", " ", text).encode()).hexdigest()
        purpose, content = self.content(messages[-1]["content"], right_key)
        ticket = int(re.findall(r"Ticket (\d+): ", text)[-1]) if purpose == "forward" else None
        scene.latest = time.monotonic()
        self.look_for_leaks(scene, purpose, messages)
        if scene.refuses_system and any(message["role"] == "system" for message in messages):
            with scene.lock:
                scene.role_refusals += 1
            refusal = Form(
                {"name": "no system", "kind": "own", "status": 400, "json": {"error": {"message": "System role not supported"}}}
            )
            return self.write(refusal, refusal.answer(Asked("", "", 0, False, False, None)))
        chosen, draw = scene.choose(key, attempt)
        encodings = self.headers.get("Accept-Encoding", "")
        asked = Asked(
            content=content,
            bad=self.bad(purpose, content),
            prompt_tokens=10 + len(text) // 4,
            takes_gzip="gzip" in encodings,
            takes_encodings=bool(encodings),
            cost=1e-6 * len(text) if scene.names_cost else None,
        )
        answer = chosen.answer(asked)
        is_reply = chosen.is_reply(asked.takes_encodings)
        if "lies" in chosen.row and not is_reply:
            answer.usage = answer.cost = None
        if purpose == "optimize" and is_reply and chosen.kind != "cut":
            scene.values.add(re.search(r"Answer billing.*Version \w+\.", content)[0])
        scene.note(Sent(key, purpose, ticket, chosen, content, answer.usage, answer.cost, is_reply))
        time.sleep(draw.uniform(0, 0.02))
        self.write(chosen, answer)

    @staticmethod
    def bad(purpose, content):
        """A text that must get no further."""
        mark = MARKS[purpose]
        half = content.replace("Version", mark)[:-12]
        return {"forward": mark, "backward": f"{mark} I cannot say", "optimize": half}[purpose]

    @staticmethod
    def look_for_leaks(scene, purpose, messages):
        if purpose == "forward" and any(mark in json.dumps(messages) for mark in MARKS.values()):
            scene.leaks.append(f"a text that is no reply came into a request of the student: {json.dumps(messages)}")
        if purpose == "optimize" and len(messages) == 2 and MARKS["backward"] in json.dumps(messages):
            scene.leaks.append(f"a critique that is none came to the optimizer: {json.dumps(messages)}")

    def write(self, form, answer):
        if form.get("ends"):
            return self.end_badly(form.get("ends"))
        framing = form.get("framing", "length")
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if framing == "length":
            self.send_header("Content-Length", str(len(answer.body)))
        elif framing == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        body = answer.body[: form.get("cut")]
        size = 40 if form.get("trickles") else 7 if framing == "chunked" else max(1, len(body))
        for at in range(0, len(body), size):
            piece = body[at : at + size]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if framing == "chunked" else piece)
            if form.get("trickles"):
                self.wfile.flush()
                time.sleep(0.01)
        if "cut" in form.row:
            return self.end_badly("close")
        if framing == "chunked":
            self.wfile.write(b"0\r\n\r\n")

    def end_badly(self, how):
        self.close_connection = True
        self.wfile.flush()
        if how == "half a header":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Ty")
            self.wfile.flush()
        if how == "hang":
            try:
                self.connection.recv(1)  # until the client has had enough
            except OSError:
                pass
        if how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how != "reset":
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.connection.close()


# ---- The campaign ----------------------------------------------------------------------------------------------------


class Watched(Program):
    """Ends what makes no progress."""

    def wait(self, process, scene):
        while True:
            status = process.poll()
            if status is not None:
                return self.ended(process, status)
            time.sleep(0.05)
            if time.monotonic() - scene.latest > STANDSTILL:
                process.kill()
                process.wait()
                raise Fault(f"{process.words} makes no progress")


class Endpoints:
    def __init__(self, program, base, seed, kept):
        self.program = Watched(program)
        self.base = base
        self.seed = seed
        self.kept = kept
        self.lock = threading.Lock()
        self.met = collections.Counter()
        self.outcomes = collections.defaultdict(collections.Counter)
        self.totals = collections.Counter()
        server = QuietServer(("127.0.0.1", 0), FaultyEndpoint)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def write(self, folder, scene, draw):
        write_task(folder, samples=draw.choice([8, 12, 16]), cache=draw.random() < 0.3)
        task = json.loads((folder / "task.json").read_text())
        model = {
            "provider": "openai",
            "model": "counting",
            "max_in_flight": draw.choice([1, 4, 8, 16]),
            "base_url": f"http://127.0.0.1:{self.port}/{scene.path}/v1",
            "price": {"input": 1, "output": 2},
        }
        if scene.needs_timeout:
            model["timeout_seconds"] = HANG
        task["models"] = {"student": model}
        scene.fails = draw.random() < 0.1
        if scene.fails:
            task["on_error"] = "fail"
        if draw.random() < 0.15:
            task["training"]["gate"] = {"confidence": 0.6, "proposals": 2}
        if draw.random() < 0.1:
            task["budget"] = {"calls": draw.randint(30, 80)}  # below, a run is refused before it sends anything
        if draw.random() < 0.15:
            final = [{"role": "user", "content": "{ticket} Draft: {draft}"}]
            task["stages"] = [{"name": "draft", "messages": task.pop("messages")}, {"name": "final", "messages": final}]
        scene.budget = task.get("budget", {}).get("calls")
        scene.records = draw.random() < 0.15
        (folder / "task.json").write_text(json.dumps(task))

    @staticmethod
    def arguments(command):
        return {
            "optimize": ["optimize", "task.json", "--run-dir", "run"],
            "evaluate": ["evaluate", "task.json", "--prompt", "first", "--split", "all", "--output", "answers.jsonl", "--json"],
            "predict": ["predict", "task.json", "--input", "tickets.jsonl", "--output", "out.jsonl"],
        }[command]

    def run(self, number):
        draw = random.Random(f"{self.seed} {number}")
        command = draw.choice(["optimize", "optimize", "evaluate", "predict"])
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{number}-{command}-", dir=self.base))
        scene = FaultyEndpoint.scenes[folder.name] = Scene(folder.name, draw)
        self.write(folder, scene, draw)
        try:
            more = ["--record"] * (scene.records and command == "optimize")
            status = self.one(command, self.arguments(command) + more, folder, scene)
            if more and status == 0:
                self.program.run(["replay", "run"], folder)
            if status == 1 and command != "evaluate":
                self.go_on(command, folder, scene)
            ending = "right" if status == 0 else "a typed error"
        except Exception as fault:
            ending = "FAULT"
            (folder / "forms.txt").write_text(
                "\n".join(
                    f"{each.purpose} {each.ticket} {each.form.kind} {each.form.name} {each.key[:8]}" for each in scene.sent
                )
                + "\n"
            )
            self.keep(folder)
            raise Fault(f"run {number} ({folder}): {fault}") from fault
        finally:
            self.count(scene, ending)
        shutil.rmtree(folder)

    def keep(self, folder):
        most = 5
        with self.lock:
            self.kept.append(folder)
            is_kept = len(self.kept) <= most
        if not is_kept:
            shutil.rmtree(folder)

    def count(self, scene, ending):
        with self.lock:
            self.totals[ending] += 1
            self.totals["requests"] += len(scene.sent)
            for each in scene.sent:
                self.met[each.form.name] += 1
            for name in {each.form.name for each in scene.sent}:
                self.outcomes[name][ending] += 1

    def one(self, command, arguments, folder, scene):
        process = self.program.start(arguments, folder, out=folder / "stdout.txt")
        scene.latest = time.monotonic()
        status = self.program.wait(process, scene)
        (folder / "stderr.txt").write_text(process.said)
        if status == 2 and scene.budget and "too small for one step" in process.said:
            if scene.sent:
                raise Fault(f"{process.words} was refused beforehand, and {len(scene.sent)} requests were sent")
            return status
        if status not in (0, 1):
            raise Fault(f"{process.words} ended with {status}: {process.said[-1500:]}")
        if scene.leaks:
            raise Fault(scene.leaks[0])
        if scene.role_refusals > 16:
            raise Fault(f"{scene.role_refusals} requests had a system message after the first was refused")
        if status == 1:
            self.expect_reason(process.said, scene, command)
        else:
            self.expect_whole(scene, process)
        self.expect_results(command, folder, scene, status)
        return status

    # ---- What a run ends with ----

    def expect_reason(self, said, scene, command):
        # What is turned down is the endpoint's fault where nothing like it has been answered.
        excuses = [each.form for each in scene.sent if each.form.kind in ("final", "outage", "passing", "turned down")]
        # Of tgd's own requests there is no next one, and of samples one has to be left.
        of_samples = re.search("none of the .* got an answer", said) is not None
        own = [each for each in scene.sent if each.form.kind in ("own", "cut", "twice")]
        excuses += [each.form for each in own if of_samples or scene.fails or each.purpose != "forward"]
        if (scene.budget and "budget" in said) or (scene.needs_timeout and "timed out" in said):
            return
        if not excuses:
            raise Fault(f"ended with 1, and nothing stood in its way: {said[-1500:]}")
        line = " ".join(said.split())
        is_own = "ChatCompletionBackward" in line or "TGD step" in line
        if is_own and re.search("context size|context length|too long|token count", line) and "context_budget" not in line:
            raise Fault(f"the error does not say what makes requests shorter: {said[-1500:]}")
        if f"http://127.0.0.1:{self.port}/{scene.path}/v1" not in line and "cut off" not in line:
            raise Fault(f"the error names no URL: {said[-1500:]}")
        if not any(re.search(each.says, line, re.I) for each in excuses):
            raise Fault(f"the error gives no reason of the endpoint's: {said[-1500:]}")
        if "chat_completion:" in line and not re.search(r"tickets\.jsonl, row \d+", line):
            raise Fault(f"the error names no row: {said[-1500:]}")

    @staticmethod
    def expect_whole(scene, process):
        final = [each.form.name for each in scene.sent if each.form.kind == "final"]
        if final:
            raise Fault(f"went on beside {final[0]}: {process.said[-1500:]}")

    # ---- Results ----

    def expect_results(self, command, folder, scene, status):
        if command == "optimize":
            self.expect_prompt(folder, scene)
            if status == 0:
                result = json.loads((folder / "run" / "result.json").read_text())
                calls = result["cost"]["total"]["usage"]["calls"] - result["cached_calls"]
                if scene.budget and calls > scene.budget:
                    raise Fault(f"{calls} calls were made with a budget of {scene.budget}")
                if "budget" in result["ending"]:
                    return  # calls on their way were given up
                self.expect_figures(result["cost"]["total"], scene)
                self.expect_calls(folder / "run" / "calls.jsonl", scene)
        elif command == "evaluate":
            if status == 0:
                result = json.loads((folder / "stdout.txt").read_text())
                self.expect_figures(result["cost"]["total"], scene)
                rows = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
                self.expect_rows(rows, folder, scene, True)
                score = sum(row["score"] for row in rows) / len(rows)
                if abs(score - result["prompts"][0]["score"]) > 1e-9:
                    raise Fault(f"the score is {result['prompts'][0]['score']}, and {score} by the rows")
        else:
            rows = (
                [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
                if (folder / "out.jsonl").exists()
                else []
            )
            self.expect_rows(rows, folder, scene, status == 0)
        self.expect_clean_cache(folder)

    @staticmethod
    def expect_prompt(folder, scene):
        run = folder / "run"
        found = []
        if (run / "rules.txt").exists():
            found.append((run / "rules.txt").read_text().rstrip("\n"))
        if (run / "result.json").exists():
            parameters = json.loads((run / "result.json").read_text())["parameters"]["rules"]
            found += [parameters["first"], parameters["best"]]
        # What code writes stands behind a value that is whole.
        prompts = pathlib.Path(__file__).parents[2] / "prompts"
        written = ["\n\n" + (prompts / f"{name}.md").read_text().split("{")[0]
                   for name in ("tgd_ask_labels", "tgd_shown_examples")]
        for value in found:
            if value not in scene.values and not any(
                    value.startswith(whole + part) for whole in scene.values for part in written):
                raise Fault(f"a prompt that nobody offered whole was taken: {value!r}")

    @staticmethod
    def expect_figures(total, scene):
        """What was used is what was sent."""
        if scene.needs_timeout:
            return
        given = collections.Counter(attempts=len(scene.sent) + scene.role_refusals)
        cost = 0.0
        for each in scene.sent:
            given.update(each.usage or {})
            if each.cost is not None:
                cost += each.cost
            elif each.usage:
                cost += (each.usage["prompt_tokens"] + 2 * each.usage["completion_tokens"]) / 1e6
        for name in ("attempts", "prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_prompt_tokens"):
            if total["usage"][name] != given[name]:
                raise Fault(f"{name} are {total['usage'][name]} in the results, and {given[name]} were sent")
        if total["cost_usd"] is not None and abs(total["cost_usd"] - cost) > 1e-9 + cost * 1e-6:
            raise Fault(f"the cost is {total['cost_usd']} in the results, and {cost} by what was sent")

    @staticmethod
    def expect_calls(file, scene):
        """Nothing that was answered is asked again: as many calls have a reply as replies were sent."""
        if scene.needs_timeout:
            return
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        answered = sum(1 for line in lines if line["tgd.outcome"] == "ok" and not line["tgd.cached"])
        replies = sum(1 for each in scene.sent if each.is_reply)
        if replies != answered:
            raise Fault(f"{replies} replies were sent, and {answered} calls have one")
        failed = sum(1 for line in lines if line["tgd.outcome"] == "error")
        finals = sum(
            1 for each in scene.sent if each.form.kind in ("own", "final", "turned down") and not each.form.name.startswith("too long")
        )
        if failed < finals:
            raise Fault(f"{finals} answers were final, and {failed} calls failed: some were tried again")

    @staticmethod
    def expect_rows(rows, folder, scene, are_all):
        tickets = [
            int(json.loads(line)["text"].split()[1].rstrip(":")) for line in (folder / "tickets.jsonl").read_text().splitlines()
        ]
        if are_all and len(rows) != len(tickets):
            raise Fault(f"{len(rows)} rows of {len(tickets)} were written")
        last = {}
        for each in scene.sent:
            if each.purpose == "forward":
                last[each.ticket] = each
        for at, row in enumerate(rows):
            ticket = tickets[row["row"]] if "row" in row else tickets[at]
            got = last[ticket]
            if scene.needs_timeout and "timed out" in row.get("error", ""):
                continue
            is_right = got.is_reply and got.form.kind != "cut"
            if is_right and (row.get("prediction") != got.content or "problem" in row):
                raise Fault(f"{row} is not {got.content!r}, which the endpoint sent ({got.form.name})")
            if not is_right and "problem" not in row and "error" not in row:
                raise Fault(f"{row} has no problem, and the endpoint sent: {got.form.name}")
            if "problem" in row and got.form.kind not in ("own", "cut", "twice", "turned down"):
                raise Fault(f"{row} has a problem of its own, and the endpoint's last word was: {got.form.name}")

    @staticmethod
    def expect_clean_cache(folder):
        for file in folder.glob("replies.db*"):
            text = file.read_bytes()
            if any(f'"content":"{mark}'.encode() in text for mark in MARKS.values()):
                raise Fault(f"{file} holds a reply that is none")

    # ---- Going on ----

    def go_on(self, command, folder, scene):
        """With an endpoint that is well again: the run comes to its end, and what had come is not asked for again."""
        scene.is_healthy = True
        written = len((folder / "out.jsonl").read_text().splitlines()) if (folder / "out.jsonl").exists() else 0
        before = len(scene.sent)
        if command == "predict":
            arguments = self.arguments(command) + ["--resume"]
        elif (folder / "run" / "task.json").exists():
            arguments = ["optimize", "--resume", "run"]
        else:
            return
        process = self.program.start(arguments, folder, out=folder / "stdout.txt")
        scene.latest = time.monotonic()
        status = self.program.wait(process, scene)
        if status == 1 and scene.budget and "budget" in process.said:
            return
        if status != 0:
            raise Fault(f"{process.words} ended with {status}, though the endpoint was well again: {process.said[-1500:]}")
        later = scene.sent[before:]
        if command == "predict":
            rows = len((folder / "tickets.jsonl").read_text().splitlines())
            stages = len(json.loads((folder / "task.json").read_text()).get("stages", [None]))
            if not scene.needs_timeout and len(later) > (rows - written) * stages:
                raise Fault(f"{len(later)} requests were sent for {rows - written} rows that were left")
            return
        self.expect_prompt(folder, scene)
        result = json.loads((folder / "run" / "result.json").read_text())
        abandoned = result.get("abandoned", {})
        lost = abandoned.get("calls", 0)
        lines = [json.loads(line) for line in (folder / "run" / "calls.jsonl").read_text().splitlines()]
        answered = sum(1 for line in lines if line["tgd.outcome"] == "ok" and not line["tgd.cached"])
        replies = sum(1 for each in scene.sent if each.is_reply)
        if not scene.needs_timeout and replies > answered + lost + self.in_flight(folder):
            raise Fault(f"{replies} replies were sent; {answered} calls have one, and {lost} were abandoned")
        self.totals["gone on with"] += 1

    @staticmethod
    def in_flight(folder):
        """So many replies may have come when the run had ended already."""
        return json.loads((folder / "task.json").read_text())["models"]["student"]["max_in_flight"]

    def table(self):
        print(f"{'form':50}{'kind':>9}{'met':>8}{'right':>8}{'error':>8}{'FAULT':>8}")
        for each in FORMS:
            ends = self.outcomes[each.name]
            print(
                f"{each.name:50}{each.kind:>9}{self.met[each.name]:8}{ends['right']:8}{ends['a typed error']:8}{ends['FAULT']:8}"
            )


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("program", type=os.path.abspath)
    options.add_argument("--runs", type=int, default=int(os.environ.get("TGD_FAULT_RUNS", 20)))
    options.add_argument("--first", type=int, default=0, help="number of the first run")
    options.add_argument("--seed", default="1")
    options.add_argument("--jobs", type=int, default=4 * os.cpu_count(), help="most of them wait")
    given = options.parse_args()
    print(f"seed {given.seed}", flush=True)
    base = pathlib.Path(tempfile.mkdtemp(prefix="tgd-endpoints-"))
    kept = []
    campaign = Endpoints(given.program, base, given.seed, kept)
    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        for job in concurrent.futures.as_completed(
            [pool.submit(campaign.run, i) for i in range(given.first, given.first + given.runs)]
        ):
            try:
                job.result()
            except Exception as fault:  # of the script, too
                print(f"FAULT: {fault}" if isinstance(fault, Fault) else f"FAULT: {fault!r}", flush=True)
    campaign.table()
    print(", ".join(f"{count} {what}" for what, count in sorted(campaign.totals.items())))
    faults = campaign.totals["FAULT"]
    print(f"{given.runs} runs, {faults} faults" + (f"; seed {given.seed}, folders kept in {base}" if faults else ""))
    if not faults:
        shutil.rmtree(base)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
