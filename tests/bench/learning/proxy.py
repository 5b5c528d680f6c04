"""Stands between whoever optimizes a prompt and the endpoint: counts calls and tokens of all alike, and refuses past a limit.

Two models can be asked for, "student" and "teacher". Which model that is, its temperature where the request names none, the most
tokens of a reply and the seed are the bench's, so that they are one for all who are compared. Nothing is cached."""

import hashlib
import http.client
import http.server
import json
import threading
import urllib.parse

REFUSAL = "budget_used_up"  # the type of the error that a call past the limit gets


class Upstream:
    """An endpoint that speaks the OpenAI protocol. One connection a thread."""

    def __init__(self, base_url, key=None, timeout=3600):
        self.url = urllib.parse.urlsplit(base_url.rstrip("/"))
        self.headers = {"Content-Type": "application/json"}
        if key:
            self.headers["Authorization"] = f"Bearer {key}"
        self.timeout = timeout
        self.local = threading.local()

    def connection(self):
        if getattr(self.local, "connection", None) is None:
            kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
            self.local.connection = kind(self.url.hostname, self.url.port, timeout=self.timeout)
        return self.local.connection

    def close(self):
        """The connection of this thread."""
        if getattr(self.local, "connection", None) is not None:
            self.local.connection.close()
            self.local.connection = None

    def post(self, body):
        """(status, reply); a kept connection that the endpoint has closed is opened anew, once."""
        for attempt in (1, 2):
            try:
                connection = self.connection()
                connection.request("POST", self.url.path + "/chat/completions", json.dumps(body).encode(), self.headers)
                response = connection.getresponse()
                return response.status, json.loads(response.read())
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.close()
                if attempt == 2:
                    raise


class Proxy:
    """A server on the loopback interface for as long as `with` lasts.

    roles: {"student": {"model", "temperature", "max_tokens"}, "teacher": {…}}; limit: of all calls together, or None. A request
    with n choices is n calls. What the endpoint fails to answer counts as asked, for it may have been paid."""

    def __init__(self, upstream, roles, limit=None, seed=0):
        self.upstream, self.roles, self.limit, self.seed = upstream, roles, limit, seed
        self.lock = threading.Lock()
        self.calls = {role: 0 for role in roles}
        self.prompt_tokens = {role: 0 for role in roles}
        self.completion_tokens = {role: 0 for role in roles}
        self.refused = self.failed = 0
        self.seen = {}

    def __enter__(self):
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *arguments):
                pass

            def finish(self):
                super().finish()
                proxy.upstream.close()

            def do_GET(self):
                self.answer(200, {"object": "list", "data": [{"id": role, "object": "model"} for role in proxy.roles]})

            def do_POST(self):
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    body = json.loads(text)
                except ValueError:
                    return self.answer(400, error("the request is not JSON", "invalid_request_error"))
                self.answer(*proxy.handle(self.path, body))

            def answer(self, status, reply):
                data = json.dumps(reply).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:  # who asked is gone
                    self.close_connection = True

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def total(self):
        return sum(self.calls.values())

    def handle(self, path, body):
        if not path.endswith("/chat/completions"):
            return 404, error(f"{path} is not served; POST …/chat/completions is", "invalid_request_error")
        role = str(body.get("model", "")).rsplit("/", 1)[-1]
        if role not in self.roles:
            return 404, error(f'there is no model "{role}", only {" and ".join(self.roles)}', "invalid_request_error")
        if body.get("stream"):
            return 400, error("streams are not counted; ask for whole replies", "invalid_request_error")
        choices = int(body.get("n") or 1)
        with self.lock:
            if self.limit is not None and self.total() + choices > self.limit:
                self.refused += choices
                # A status that no client tries again.
                return 403, error(f"the budget of {self.limit} calls is used up", REFUSAL)
            self.calls[role] += choices
            body = self.completed(role, body)
        try:
            status, reply = self.upstream.post(body)
        except (OSError, http.client.HTTPException, ValueError) as problem:
            status, reply = 502, error(f"the endpoint does not answer: {problem}", "server_error")
        with self.lock:
            if status != 200:
                self.failed += choices
            usage = reply.get("usage") or {}
            self.prompt_tokens[role] += int(usage.get("prompt_tokens") or 0)
            self.completion_tokens[role] += int(usage.get("completion_tokens") or 0)
        return status, reply

    def completed(self, role, body):
        """The request as it goes on, with a seed that depends on the run, the request and how often it was made."""
        settings = self.roles[role]
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        times = self.seen[digest] = self.seen.get(digest, 0) + 1
        body = {**body, "model": settings["model"]}
        if body.get("temperature") is None:
            body["temperature"] = settings["temperature"]
        asked = body.pop("max_completion_tokens", None) or body.get("max_tokens") or settings["max_tokens"]
        body["max_tokens"] = min(asked, settings["max_tokens"])
        body["seed"] = int(hashlib.sha256(f"{self.seed} {digest} {times}".encode()).hexdigest()[:7], 16)
        return body

    def figures(self):
        with self.lock:
            return {"calls": dict(self.calls), "prompt_tokens": dict(self.prompt_tokens),
                    "completion_tokens": dict(self.completion_tokens), "refused": self.refused, "failed": self.failed}


def error(message, kind):
    return {"error": {"message": message, "type": kind, "code": kind}}
