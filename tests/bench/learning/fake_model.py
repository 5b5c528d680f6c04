"""A stand-in for an endpoint, for the tests and for trying the bench out: no model, no time.

  fake_model.py PORT

The student answers the first label that it finds in the prompt or, where the prompt has none, a sentence. The teacher writes a prompt
with a list of labels, in the tags of whoever asks."""

import http.server
import json
import re
import sys
import threading


def reply(messages):
    text = "\n".join(str(message["content"]) for message in messages)
    if "[[ ## " in text:  # DSPy's form
        fields = re.findall(r"\[\[ ## (\w+) ## \]\]", text.split("Respond with the corresponding output fields", 1)[-1])
        values = [f"[[ ## {name} ## ]]\npositive" for name in fields if name != "completed"]
        return "\n\n".join(values) + "\n\n[[ ## completed ## ]]"
    if "IMPROVED_V" in text:
        tag = re.search(r"<(IMPROVED_V\w+)>", text).group(1)
        return f"<{tag}>Reply with one word: positive, negative or neutral.</{tag}>"
    if "<proposed_variable>" in text:  # AdalFlow's form
        return ("<response><reasoning>short</reasoning><method>rewrite</method><proposed_variable>Reply with one word: positive, "
                "negative or neutral.</proposed_variable></response>")
    if "```" in text or "new instruction" in text:
        return "```\nReply with one word: positive, negative or neutral.\n```"
    if "one word" in messages[0]["content"] or "exactly one" in messages[0]["content"]:
        return "positive"
    return "The sentiment of this text is mixed."


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        status = self.server.status
        answer = {"choices": [{"index": i, "finish_reason": "stop", "message": {"role": "assistant", "content": reply(body["messages"])}}
                              for i in range(body.get("n") or 1)],
                  "object": "chat.completion", "id": "1", "created": 1, "model": body["model"],
                  "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}}
        data = json.dumps(answer if status == 200 else {"error": {"message": "no"}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class FakeModel(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.asked, self.status = [], 200
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


if __name__ == "__main__":
    FakeModel(int(sys.argv[1])).serve_forever()
