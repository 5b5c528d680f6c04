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
HANG = 2.0      # seconds, the time limit of a request where endpoints hang
STANDSTILL = 60  # seconds without a request or an end: it hangs


@dataclasses.dataclass
class Asked:
    """A request, as the forms see it."""
    purpose: str
    content: str  # of the right reply
    bad: str      # of one that must not be used
    prompt_tokens: int
    draw: random.Random
    gzips: bool
    model: str


@dataclasses.dataclass
class Answer:
    status: int = 200
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    framing: str = "length"  # or "chunked", or "close"
    cut: int = None          # bytes of the body after which the connection is cut
    ends: str = ""           # instead of any answer: "reset", "close", "half a header", "hang"
    trickle: bool = False
    usage: dict = None       # as a client has to count it; None: none was given
    cost: float = None


def usage(asked, output=3, **more):
    return {"prompt_tokens": asked.prompt_tokens, "completion_tokens": output, "total_tokens": asked.prompt_tokens + output, **more}


def counted(given):
    """What a client counts of token figures."""
    prompt = given.get("prompt_tokens", given.get("input_tokens", 0))
    output = given.get("completion_tokens", given.get("output_tokens", 0))
    thoughts = (given.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    if thoughts > output:
        output += thoughts
    output = max(output, given.get("total_tokens", 0) - prompt)
    return {"prompt_tokens": prompt, "completion_tokens": output, "reasoning_tokens": thoughts,
            "cached_prompt_tokens": (given.get("prompt_tokens_details") or {}).get("cached_tokens", 0)}


def completion(asked, content, finish="stop", message=None, given=True, more_choices=(), **more):
    """given: token figures; True for plain ones, None for none."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **(message or {})}, "finish_reason": finish, **more.pop("choice", {})}
    body = {"id": "1", "object": "chat.completion", "model": asked.model, "choices": [choice, *more_choices], **more}
    if given is True:
        given = usage(asked)
    if given is not None:
        body["usage"] = given
    answer = as_json(body)
    answer.usage = counted(given) if given else None
    if given and "cost" in given:
        answer.cost = given["cost"]
    return answer


def as_json(body, status=200, **headers):
    return Answer(status, {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}, json.dumps(body).encode())


def as_text(body, status=200, kind="text/plain", **headers):
    return Answer(status, {"Content-Type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}, body.encode())


def page(title, status):
    return as_text(f"<!DOCTYPE html>\n<html><head><title>{title}</title><style>p {{}}</style></head><body><center><h1>{title}</h1></center>"
                   f"<hr><p>nginx &amp; more</p></body></html>", status, "text/html; charset=utf-8")


# ---- Forms -----------------------------------------------------------------------------------------------------------
#
# whole    the reply is right, in one of its shapes
# passing  the next attempt may be answered; asked again as often as a client asks
# outage   the same, inside a 200: asked again, and the endpoint's fault where it stays
# own      the request's own: no further attempt; a sample goes on with a problem
# twice    the same after one more attempt
# final    no further attempt, and the run ends

FORMS = {}


class Form:
    def __init__(self, name, kind, make, says=""):
        self.name, self.kind, self.make, self.says = name, kind, make, says
        assert name not in FORMS, name
        FORMS[name] = self


def form(kind, name, make, says=""):
    Form(name, kind, make, says)


def after(answer, change):
    change(answer)
    return answer


def with_headers(answer, **headers):
    answer.headers.update({k.replace("_", "-"): v for k, v in headers.items()})
    return answer


for word in ["stop_sequence", "end_turn", "eos", "eos_token", "COMPLETE", "FinishReason.STOP", "STOP", None, "graceful"]:
    form("whole", f"ends with {word}", lambda a, word=word: completion(a, a.content, word))
form("whole", "content in parts", lambda a: completion(a, [{"type": "text", "text": a.content[:3]}, {"type": "text", "text": a.content[3:]}]))
for begin, end in [("<think>", "</think>"), ("<thinking>", "</thinking>"), ("◁think▷", "◁/think▷"), ("[THINK]", "[/THINK]"), ("<seed:think>", "</seed:think>")]:
    form("whole", f"thoughts in {begin}", lambda a, begin=begin, end=end: completion(a, f"{begin}\n{a.bad} 🧾\n{end}\n\n{a.content}"))
form("whole", "thoughts without a beginning", lambda a: completion(a, f"{a.bad}, so it is\n</think>\n\n{a.content}"))
form("whole", "thoughts in a field", lambda a: completion(a, a.content, message={"reasoning_content": a.bad + "\ud83d"}))
form("whole", "thoughts in a field of a router", lambda a: completion(a, a.content, message={"reasoning": a.bad}, given=usage(a, completion_tokens_details={"reasoning_tokens": 40})))
form("whole", "log-probabilities of NaN", lambda a: after(completion(a, a.content, choice={"logprobs": {"content": [{"token": "b", "logprob": float("nan"), "top_logprobs": []}, {"token": "c", "logprob": float("-inf")}]}}), lambda x: None))
form("whole", "no usage", lambda a: completion(a, a.content, given=None))
form("whole", "usage of null", lambda a: completion(a, a.content, given={}))
form("whole", "usage that is absurd", lambda a: after(completion(a, a.content, given=usage(a, output=-5)), lambda x: setattr(x, "usage", None)))
form("whole", "usage beyond all numbers", lambda a: after(completion(a, a.content, given={"prompt_tokens": 1e26, "completion_tokens": 2}), lambda x: setattr(x, "usage", None)))
form("whole", "usage in other names", lambda a: completion(a, a.content, given={"input_tokens": a.prompt_tokens, "output_tokens": 4}))
form("whole", "usage with hidden output", lambda a: completion(a, a.content, given={**usage(a), "total_tokens": a.prompt_tokens + 50}))
form("whole", "usage with cached tokens", lambda a: completion(a, a.content, given=usage(a, prompt_tokens_details={"cached_tokens": 7})))
form("whole", "more choices, the other way round", lambda a: completion(a, a.content, more_choices=[]) if False else after(
    completion(a, a.content), lambda x: setattr(x, "body", json.dumps({**json.loads(x.body), "choices": [
        {"index": 1, "message": {"role": "assistant", "content": a.bad}, "finish_reason": "stop"}, *json.loads(x.body)["choices"]]}).encode())))
form("whole", "compressed", lambda a: after(completion(a, a.content), lambda x: a.gzips and (setattr(x, "body", gzip.compress(x.body)), x.headers.update({"Content-Encoding": "gzip"}))))
form("whole", "in chunks", lambda a: after(completion(a, a.content), lambda x: setattr(x, "framing", "chunked")))
form("whole", "to the end of the connection", lambda a: after(completion(a, a.content), lambda x: setattr(x, "framing", "close")))
form("whole", "in a trickle", lambda a: after(completion(a, a.content), lambda x: setattr(x, "trickle", True)))
form("whole", "behind white space", lambda a: after(completion(a, a.content), lambda x: setattr(x, "body", b"\n\n \n" + x.body)))
form("whole", "little is left of a limit", lambda a: with_headers(completion(a, a.content), x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="30ms"))
form("whole", "little is left, in the words of a draft", lambda a: with_headers(completion(a, a.content), RateLimit='"default";r=0;t=0', RateLimit_Policy='"default";q=10;w=1'))
form("whole", "little is left until a moment", lambda a: with_headers(completion(a, a.content), anthropic_ratelimit_requests_remaining="0",
     anthropic_ratelimit_requests_reset=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")))

for name, headers in {"": {}, ", Retry-After: 0": {"Retry_After": "0"}, ", Retry-After: 1": {"Retry_After": "1"}, ", Retry-After: 0.2": {"Retry_After": "0.2"},
                      ", retry-after-ms": {"retry_after_ms": "50"}, ", Retry-After: garbage": {"Retry_After": "soon"}}.items():
    form("passing", "429" + name, lambda a, headers=headers: as_json({"error": {"message": "Rate limit reached for requests", "type": "requests", "code": "rate_limit_exceeded"}}, 429, **headers), "Rate limit reached")
form("passing", "429, Retry-After: a date", lambda a: as_json({"error": {"message": "Rate limit reached"}}, 429, Retry_After=email.utils.formatdate(time.time() + 1, usegmt=True)), "Rate limit reached")
form("passing", "429, the wait in words", lambda a: as_json({"error": {"message": "Rate limit reached. Please try again in 0.1s.", "type": "tokens", "code": "rate_limit_exceeded"}}, 429), "try again in 0.1s")
form("passing", "429, an array with a delay", lambda a: as_json([{"error": {"code": 429, "message": "Resource has been exhausted", "status": "RESOURCE_EXHAUSTED", "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.1s"}]}}], 429), "Resource has been exhausted")
form("passing", "503, still loading", lambda a: as_json({"error": "Model is currently loading", "estimated_time": 0.2}, 503), "currently loading")
form("passing", "503, a text", lambda a: as_text("upstream connect error or disconnect/reset before headers", 503), "upstream connect error")
form("passing", "503, busy", lambda a: as_json({"message": "Server busy, please try again later", "data": None}, 503), "Server busy")
form("passing", "529", lambda a: as_json({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, 529), "Overloaded")
form("passing", "499", lambda a: as_json({"error": {"message": "client closed request", "code": 499}}, 499), "client closed request")
form("passing", "500, an object", lambda a: as_json({"error": {"message": "The server had an error", "type": "server_error"}}, 500), "The server had an error")
form("passing", "500, an event", lambda a: as_text('data: {"error": {"message": "CUDA error", "type": "InternalServerError"}}\n\n', 500, "text/event-stream"), "CUDA error")
form("passing", "502, a page", lambda a: page("502 Bad Gateway", 502), "502 Bad Gateway")
form("passing", "504, a page", lambda a: page("504 Gateway Time-out", 504), "504 Gateway Time-out")
form("passing", "520, a page", lambda a: page("Web server is returning an unknown error", 520), "unknown error")
form("passing", "408", lambda a: as_json({"error": {"message": "Request timed out"}}, 408), "timed out")
form("passing", "400 around a raw 429", lambda a: as_json({"error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": json.dumps({"error": {"message": "queue full", "code": 429}})}}}, 429), "queue full")
form("passing", "200, overloaded", lambda a: as_json({"error": {"message": "Overloaded", "code": 529}}), "Overloaded")
form("passing", "200, the server is busy", lambda a: as_json({"error": {"message": "The server is busy. Please retry.", "type": "server_busy"}}), "server is busy")
form("passing", "200, a 502 inside", lambda a: as_json({"error": {"message": "Bad gateway", "code": "502"}}), "Bad gateway")
form("passing", "200, an error's object", lambda a: as_json({"object": "error", "message": "engine is at capacity", "type": "ServiceUnavailable", "code": 503}), "at capacity")
form("passing", "reset before the first byte", lambda a: Answer(ends="reset"), "")
form("passing", "closed before the first byte", lambda a: Answer(ends="close"), "")
form("passing", "closed within the headers", lambda a: Answer(ends="half a header"), "")
form("passing", "reset within the body", lambda a: after(completion(a, a.content), lambda x: setattr(x, "cut", 70)), "")
form("passing", "cut within the chunks", lambda a: after(completion(a, a.content), lambda x: (setattr(x, "framing", "chunked"), setattr(x, "cut", 70))), "")
form("passing", "cut without a length", lambda a: after(completion(a, a.content), lambda x: (setattr(x, "framing", "close"), setattr(x, "cut", 70))), "")
form("passing", "in an encoding that it is not", lambda a: with_headers(completion(a, a.content), Content_Encoding="gzip"), "Content-Encoding")
form("passing", "in an encoding that nobody knows", lambda a: with_headers(completion(a, a.content), Content_Encoding="x-acme"), "Content-Encoding")
form("passing", "never answers", lambda a: Answer(ends="hang"), "")

form("outage", "200, a page", lambda a: page("Down for maintenance", 200), "Down for maintenance")
form("outage", "200, a line of text", lambda a: as_text("upstream error"), "upstream error")
form("outage", "200, nothing", lambda a: as_text(""), "empty")
form("outage", "200, an object without choices", lambda a: as_json({"status": "queued", "id": 7}), "no choices")
form("outage", "200, an event with an error", lambda a: as_text('event: error\ndata: {"error": {"message": "worker died"}}\n\n', 200, "text/event-stream"), "worker died")
for word in ["error", "insufficient_system_resource", "network_error", "abort"]:
    form("outage", f"gives up with {word}", lambda a, word=word: completion(a, a.bad, word), word)
form("outage", "gives up with a choice's error", lambda a: completion(a, a.bad, "error", choice={"error": {"code": 502, "message": "Upstream idle timeout exceeded"}}), "idle timeout")

for word in ["length", "max_tokens", "MAX_TOKENS", "FinishReason.MAX_TOKENS", "model_length", "model_context_window_exceeded", "max_output_tokens", "incomplete"]:
    form("cut", f"cut with {word}", lambda a, word=word: completion(a, a.bad, word), "cut")
form("cut", "cut within a thought", lambda a: completion(a, f"<think>{a.bad}", "length", given=usage(a, output=30)), "cut")
for word in ["content_filter", "SAFETY", "PROHIBITED_CONTENT", "RECITATION", "content_filter: VIOLENCE", "refusal", "guardrail_intervened", "blocklist"]:
    form("own", f"filtered with {word}", lambda a, word=word: completion(a, a.bad, word), "filter")
form("own", "filtered without a message", lambda a: after(as_json({"id": "1", "choices": [{"index": 0, "message": None, "finish_reason": "content_filter"}], "usage": usage(a)}), lambda x: setattr(x, "usage", counted(usage(a)))), "filter")
form("own", "a refusal", lambda a: completion(a, None, "stop", message={"refusal": a.bad}), "refused")
form("own", "a tool", lambda a: completion(a, None, "tool_calls", message={"tool_calls": [{"id": "1", "type": "function", "function": {"name": "x", "arguments": "{}"}}]}), "tool")
form("own", "400, filtered", lambda a: as_json({"error": {"message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", "type": None, "param": "prompt", "code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}}}}, 400), "content management policy")
form("own", "403, flagged, in a raw text", lambda a: as_json({"error": {"message": "Provider returned error", "code": 403, "metadata": {"raw": "{\"error\": {\"message\": \"Your input was flagged by moderation\"}}", "reasons": ["violence"]}}}, 403), "flagged by moderation")
form("own", "200, filtered", lambda a: as_json({"error": {"code": "data_inspection_failed", "message": "Input data may contain inappropriate content."}}), "inappropriate content")
for name, body in {
        "OpenAI": {"error": {"message": "This model's maximum context length is 64 tokens. However, your messages resulted in 90 tokens.", "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}},
        "vLLM": {"object": "error", "message": "This model's maximum context length is 64 tokens. However, you requested 90 tokens (80 in the messages, 10 in the completion).", "type": "BadRequestError", "param": None, "code": 400},
        "llama.cpp": {"error": {"code": 400, "message": "the request exceeds the available context size, try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 90, "n_ctx": 64}},
        "Anthropic": {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 90 tokens > 64 maximum"}},
        "Gemini": [{"error": {"code": 400, "message": "The input token count (90) exceeds the maximum number of tokens allowed (64).", "status": "INVALID_ARGUMENT"}}],
        "a validator": {"detail": [{"loc": ["body", "messages"], "msg": "input too long", "type": "value_error"}]}}.items():
    form("own", f"too long, as {name} says", lambda a, body=body: as_json(body, 400), "too long|exceed|context|tokens")
form("own", "413", lambda a: page("413 Request Entity Too Large", 413), "413")

form("twice", "no content", lambda a: completion(a, None), "no content")
form("twice", "only a thought", lambda a: completion(a, f"<think>{a.bad}</think>"), "thought")
form("twice", "the answer in the place of thoughts", lambda a: completion(a, None, message={"reasoning_content": a.bad}), "thoughts")
form("twice", "no choice", lambda a: after(as_json({"id": "1", "choices": [], "usage": usage(a)}), lambda x: setattr(x, "usage", counted(usage(a)))), "no choices")
form("twice", "ends within a surrogate pair", lambda a: after(completion(a, a.content + " 🧾"), lambda x: (setattr(x, "body", x.body[:x.body.find(b"\\ud83e") + 6]), setattr(x, "usage", None))), "not JSON")
form("twice", "MALFORMED_FUNCTION_CALL", lambda a: completion(a, "", "MALFORMED_FUNCTION_CALL"), "MALFORMED_FUNCTION_CALL")

form("final", "401", lambda a: as_json({"error": {"message": "Incorrect API key provided", "type": "invalid_request_error", "code": "invalid_api_key"}}, 401), "Incorrect API key.*api_key")
form("final", "401, with detail", lambda a: as_json({"detail": "Not authenticated"}, 401), "Not authenticated.*api_key")
form("final", "403", lambda a: as_json({"error": {"message": "Your account has been closed"}}, 403), "has been closed.*API key")
form("final", "404", lambda a: as_json({"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}, 404), "does not exist.*base_url")
form("final", "402", lambda a: as_json({"error": {"message": "Insufficient credits. Add more.", "code": 402}}, 402), "Insufficient credits")
form("final", "429, no quota", lambda a: as_json({"error": {"message": "You exceeded your current quota, please check your plan and billing details.", "type": "insufficient_quota", "code": "insufficient_quota"}}, 429), "exceeded your current quota")
form("final", "429, too large for a minute", lambda a: as_json({"error": {"message": "Request too large for m on tokens per min (TPM): Limit 100, Requested 900.", "type": "tokens", "code": "rate_limit_exceeded"}}, 429), "Request too large")
form("final", "429, Retry-After: an hour", lambda a: as_json({"error": {"message": "Daily limit reached"}}, 429, Retry_After="3600"), "Daily limit reached.*max_retry_after")
form("final", "400", lambda a: as_json({"error": {"message": "temperature: must be at most 1", "param": "temperature", "code": "invalid_value"}}, 400), "must be at most 1")
form("final", "422, with places", lambda a: as_json({"detail": [{"loc": ["body", "model"], "msg": "field required", "type": "value_error.missing"}]}, 422), "body.model: field required")
form("final", "a redirect", lambda a: with_headers(page("301 Moved Permanently", 301), Location="https://elsewhere.example/v1/chat/completions"), "elsewhere.example.*base_url")


# ---- The endpoint ----------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Sent:
    """What one request got."""
    key: str
    purpose: str
    ticket: int
    form: Form
    content: str
    usage: dict
    cost: float
    is_decoded: bool = True  # by a client that takes encodings

    def is_reply(self):
        """Whether it can be read, and is a reply."""
        return self.form.kind in ("whole", "cut") or ("in an encoding" in self.form.name and not self.is_decoded)

    def is_read(self):
        """Whether what it says of its usage arrives."""
        if "in an encoding" in self.form.name:
            return not self.is_decoded
        return "within the" not in self.form.name and self.form.name != "cut without a length"


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
        kinds = {"whole": 6, "passing": 3, "outage": 1, "own": 2, "cut": 2, "twice": 1}
        by_kind = collections.defaultdict(list)
        for each in FORMS.values():
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

    def names(self):
        return {each.name for each, _ in self.rates}

    def note(self, entry):
        with self.lock:
            self.sent.append(entry)
            self.latest = time.monotonic()


class FaultyEndpoint(Endpoint):
    scenes = {}

    def do_GET(self):
        self.scenes[self.path.split("/")[1]].latest = time.monotonic()
        self.write(as_json({"error": {"message": "no such path"}}, 404))

    def answer(self, path, request, key, attempt):
        scene = self.scenes[path]
        messages = request["messages"]
        text = "\n".join(message["content"] for message in messages)
        # The same for a request whose system message was folded into the user's.
        right_key = hashlib.sha256(re.sub(r"\s+", " ", text).encode()).hexdigest()
        purpose, content = self.content(messages[-1]["content"], right_key)
        ticket = int(re.search(r"Ticket (\d+): ", messages[-1]["content"].rsplit("\n", 1)[-1])[1]) if purpose == "forward" else None
        scene.latest = time.monotonic()
        self.look_for_leaks(scene, purpose, messages)
        if scene.refuses_system and any(message["role"] == "system" for message in messages):
            with scene.lock:
                scene.role_refusals += 1
            return self.write(as_json({"error": {"message": "System role not supported", "type": "invalid_request_error"}}, 400))
        chosen, draw = scene.choose(key, attempt)
        mark = MARKS[purpose]
        bad = {"forward": mark, "backward": f"{mark} I cannot say", "optimize": f"{content.replace('Version', mark + ' half')[:-10]}"}[purpose]
        asked = Asked(purpose, content, bad, 10 + len(text) // 4, draw, "gzip" in self.headers.get("Accept-Encoding", ""), request.get("model", ""))
        answer = chosen.make(asked)
        if scene.names_cost and answer.usage:
            answer.cost = asked.prompt_tokens * 1e-6
            answer.body = re.sub(rb'"usage": {', b'"usage": {"cost": %.9f, ' % answer.cost, answer.body) if "Content-Encoding" not in answer.headers or answer.headers["Content-Encoding"] != "gzip" or answer.body[:1] == b"{" else gzip.compress(re.sub(rb'"usage": {', b'"usage": {"cost": %.9f, ' % answer.cost, gzip.decompress(answer.body)))
        entry = Sent(key, purpose, ticket, chosen, content, answer.usage, answer.cost, "Accept-Encoding" in self.headers)
        if purpose == "optimize" and entry.is_reply() and chosen.kind != "cut":
            scene.values.add(re.search(r"Answer billing.*Version \w+\.", content)[0])
        scene.note(entry)
        if chosen.name == "never answers":
            self.connection.settimeout(STANDSTILL)
        time.sleep(draw.uniform(0, 0.02))
        self.write(answer)

    @staticmethod
    def look_for_leaks(scene, purpose, messages):
        if purpose == "forward" and any(mark in json.dumps(messages) for mark in MARKS.values()):
            scene.leaks.append(f"a text that is no reply came into a request of the student: {json.dumps(messages)}")
        if purpose == "optimize" and len(messages) == 2 and MARKS["backward"] in json.dumps(messages):
            scene.leaks.append(f"a critique that is none came to the optimizer: {json.dumps(messages)}")

    def write(self, answer):
        if answer.ends:
            return self.end_badly(answer.ends)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.framing == "length":
            self.send_header("Content-Length", str(len(answer.body)))
        elif answer.framing == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        body = answer.body if answer.cut is None else answer.body[:answer.cut]
        size = 40 if answer.trickle else 7 if answer.framing == "chunked" else max(1, len(body))
        for at in range(0, len(body), size):
            piece = body[at:at + size]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if answer.framing == "chunked" else piece)
            if answer.trickle:
                self.wfile.flush()
                time.sleep(0.01)
        if answer.cut is not None:
            return self.end_badly("close")
        if answer.framing == "chunked":
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
        model = {"provider": "openai", "model": "counting", "max_in_flight": draw.choice([1, 4, 8, 16]),
                 "base_url": f"http://127.0.0.1:{self.port}/{scene.path}/v1", "price": {"input": 1, "output": 2}}
        if "never answers" in scene.names():
            model["timeout_seconds"] = HANG
        task["models"] = {"student": model}
        scene.fails = draw.random() < 0.1
        if scene.fails:
            task["on_error"] = "fail"
        if draw.random() < 0.15:
            task["training"]["gate"] = {"confidence": 0.6, "proposals": 2}
        if draw.random() < 0.1:
            task["budget"] = {"calls": draw.randint(5, 60)}
        scene.budget = task.get("budget", {}).get("calls")
        scene.records = draw.random() < 0.15
        (folder / "task.json").write_text(json.dumps(task))

    @staticmethod
    def arguments(command):
        return {"optimize": ["optimize", "task.json", "--run-dir", "run"],
                "evaluate": ["evaluate", "task.json", "--prompt", "first", "--split", "all", "--output", "answers.jsonl", "--json"],
                "predict": ["predict", "task.json", "--input", "tickets.jsonl", "--output", "out.jsonl"]}[command]

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
            (folder / "forms.txt").write_text("\n".join(f"{each.purpose} {each.ticket} {each.form.kind} {each.form.name} {each.key[:8]}" for each in scene.sent) + "\n")
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
        excuses = [each.form for each in scene.sent if each.form.kind in ("final", "outage", "passing")]
        # Of tgd's own requests there is no next one, and of samples one has to be left.
        of_samples = re.search("none of the .* got an answer", said) is not None
        own = [each for each in scene.sent if each.form.kind in ("own", "cut", "twice")]
        excuses += [each.form for each in own if of_samples or scene.fails or each.purpose != "forward"]
        if scene.budget and "budget" in said:
            return
        if not excuses:
            raise Fault(f"ended with 1, and nothing stood in its way: {said[-1500:]}")
        line = " ".join(said.split())
        if re.search("context size|context length|too long|token count", line) and not of_samples and "context_budget" not in line:
            raise Fault(f"the error does not say what makes requests shorter: {said[-1500:]}")
        if f"http://127.0.0.1:{self.port}/{scene.path}/v1" not in line and "cut off" not in line:
            raise Fault(f"the error names no URL: {said[-1500:]}")
        if not any(each.says and re.search(each.says, line, re.I) for each in excuses) and not re.search(
                "connection|timed out|timeout|transfer|reset|closed|empty reply|in the middle of the reply", line, re.I):
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
                if scene.budget and result["cost"]["total"]["usage"]["calls"] > scene.budget:
                    raise Fault(f"{result['cost']['total']['usage']['calls']} calls were made with a budget of {scene.budget}")
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
            rows = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()] if (folder / "out.jsonl").exists() else []
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
        for value in found:
            if value not in scene.values:
                raise Fault(f"a prompt that nobody offered whole was taken: {value!r}")

    @staticmethod
    def expect_figures(total, scene):
        """What was used is what was sent."""
        given = collections.Counter(attempts=len(scene.sent) + scene.role_refusals)
        cost = 0.0
        for each in scene.sent:
            if each.usage and each.is_read():
                given.update(each.usage)
                cost += each.cost if each.cost is not None else (each.usage["prompt_tokens"] + 2 * each.usage["completion_tokens"]) / 1e6
        for name in ("attempts", "prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_prompt_tokens"):
            if total["usage"][name] != given[name]:
                raise Fault(f"{name} are {total['usage'][name]} in the results, and {given[name]} were sent")
        if total["cost_usd"] is not None and abs(total["cost_usd"] - cost) > 1e-9 + cost * 1e-6:
            raise Fault(f"the cost is {total['cost_usd']} in the results, and {cost} by what was sent")

    @staticmethod
    def expect_calls(file, scene):
        """Nothing that was answered is asked again: as many calls have a reply as replies were sent."""
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        answered = sum(1 for line in lines if line["tgd.outcome"] == "ok" and not line["tgd.cached"])
        replies = sum(1 for each in scene.sent if each.is_reply())
        if replies != answered:
            raise Fault(f"{replies} replies were sent, and {answered} calls have one")
        failed = sum(1 for line in lines if line["tgd.outcome"] == "error")
        finals = sum(1 for each in scene.sent if each.form.kind in ("own", "final") and each.form.name[:8] not in ("too long", "413"))
        if failed < finals:
            raise Fault(f"{finals} answers were final, and {failed} calls failed: some were tried again")

    @staticmethod
    def expect_rows(rows, folder, scene, are_all):
        tickets = [int(json.loads(line)["text"].split()[1].rstrip(":")) for line in (folder / "tickets.jsonl").read_text().splitlines()]
        if are_all and len(rows) != len(tickets):
            raise Fault(f"{len(rows)} rows of {len(tickets)} were written")
        last = {}
        for each in scene.sent:
            if each.purpose == "forward":
                last[each.ticket] = each
        for at, row in enumerate(rows):
            ticket = tickets[row["row"]] if "row" in row else tickets[at]
            got = last[ticket]
            is_right = got.is_reply() and got.form.kind != "cut"
            if is_right and (row.get("prediction") != got.content or "problem" in row):
                raise Fault(f"{row} is not {got.content!r}, which the endpoint sent ({got.form.name})")
            if not is_right and "problem" not in row and "error" not in row:
                raise Fault(f"{row} has no problem, and the endpoint sent: {got.form.name}")
            if "problem" in row and got.form.kind not in ("own", "cut", "twice"):
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
            if len(later) > rows - written:
                raise Fault(f"{len(later)} requests were sent for {rows - written} rows that were left")
            return
        self.expect_prompt(folder, scene)
        result = json.loads((folder / "run" / "result.json").read_text())
        abandoned = result.get("abandoned", {})
        lost = abandoned.get("calls", 0)
        lines = [json.loads(line) for line in (folder / "run" / "calls.jsonl").read_text().splitlines()]
        answered = sum(1 for line in lines if line["tgd.outcome"] == "ok" and not line["tgd.cached"])
        replies = sum(1 for each in scene.sent if each.is_reply())
        if replies > answered + lost + self.in_flight(folder):
            raise Fault(f"{replies} replies were sent; {answered} calls have one, and {lost} were abandoned")
        self.totals["gone on with"] += 1

    @staticmethod
    def in_flight(folder):
        """So many replies may have come when the run had ended already."""
        return json.loads((folder / "task.json").read_text())["models"]["student"]["max_in_flight"]

    def table(self):
        print(f"{'form':50}{'kind':>9}{'met':>8}{'right':>8}{'error':>8}{'FAULT':>8}")
        for name, each in FORMS.items():
            ends = self.outcomes[name]
            print(f"{name:50}{each.kind:>9}{self.met[name]:8}{ends['right']:8}{ends['a typed error']:8}{ends['FAULT']:8}")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("program", type=os.path.abspath)
    options.add_argument("--runs", type=int, default=int(os.environ.get("TGD_FAULT_RUNS", 12)))
    options.add_argument("--first", type=int, default=0, help="number of the first run")
    options.add_argument("--seed", default="1")
    options.add_argument("--jobs", type=int, default=4 * os.cpu_count(), help="most of them wait")
    given = options.parse_args()
    print(f"seed {given.seed}", flush=True)
    base = pathlib.Path(tempfile.mkdtemp(prefix="tgd-endpoints-"))
    kept = []
    campaign = Endpoints(given.program, base, given.seed, kept)
    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        for job in concurrent.futures.as_completed([pool.submit(campaign.run, i) for i in range(given.first, given.first + given.runs)]):
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
