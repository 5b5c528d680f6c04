#!/usr/bin/env python3
"""Logs a run folder of tgd at an MLflow tracking server, by its REST API: nothing but Python is needed here.

    tgd optimize task.json
    MLFLOW_TRACKING_URI=http://localhost:5000 examples/mlflow/log_run.py runs/mails-20261121-195647

One run there for one here: the task's settings as parameters, the scores over steps, calls, tokens and cost as metrics, the best prompt as
a tag of each parameter. MLFLOW_EXPERIMENT_NAME (else the task's name) says where; MLFLOW_TRACKING_TOKEN is sent as a bearer's.
"""
import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request


def post(uri, call, body, missing_is_none=False):
    request = urllib.request.Request(f"{uri}/api/2.0/mlflow/{call}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        request.add_header("Authorization", f"Bearer {token}")
    if call.endswith("get-by-name"):  # the one that is a GET
        name = urllib.request.quote(body["experiment_name"], safe="")
        request = urllib.request.Request(f"{request.full_url}?experiment_name={name}", headers=dict(request.header_items()))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if missing_is_none and error.code == 404:
            return None
        sys.exit(f"MLflow refuses {call}: {error.code} {error.read().decode(errors='replace')[:300]}")
    except (urllib.error.URLError, OSError) as error:
        sys.exit(f"MLflow does not answer at {uri}: {error}")


def metrics_of(run, result):
    """(name, value, step): numbers only."""
    for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["kind"] in ("validation", "step") and entry.get("score") is not None:
            yield f"{entry['kind']}_score", entry["score"], entry["step"]
    last = result["steps"]
    for part, scores in result["accuracy"].items():
        for when, step in (("before", 0), ("after", last)):
            if scores[when] is not None:
                yield f"{part}_score", scores[when], step
    total = result["cost"]["total"]
    for name in ("prompt_tokens", "completion_tokens"):
        yield name, total["usage"][name], last
    if total["cost_usd"] is not None:
        yield "cost_usd", total["cost_usd"], last
    for purpose, count in result["calls"].items():
        yield f"calls_{purpose or 'other'}", count, last
    yield "seconds", result["seconds"], last


def params_of(task, result):
    for section in ("optimizer", "training"):
        for name, value in task.get(section, {}).items():
            yield f"{section}.{name}", value if isinstance(value, str) else json.dumps(value)
    for role, model in result["models"].items():
        yield f"model.{role}", f"{model['provider']}/{model['model']}"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: log_run.py RUN, with the server in MLFLOW_TRACKING_URI")
    run = pathlib.Path(sys.argv[1])
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").rstrip("/")
    if not uri.startswith(("http://", "https://")):
        sys.exit("MLFLOW_TRACKING_URI has to be the URL of a tracking server, such as http://localhost:5000")
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    task = json.loads((run / "task.json").read_text(encoding="utf-8"))
    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", result["name"])
    now = int(time.time() * 1000)
    found = post(uri, "experiments/get-by-name", {"experiment_name": experiment}, missing_is_none=True)
    number = found["experiment"]["experiment_id"] if found else post(uri, "experiments/create", {"name": experiment})["experiment_id"]
    begun = post(uri, "runs/create", {"experiment_id": number, "run_name": run.name, "start_time": now - int(result["seconds"] * 1000)})
    run_id = begun["run"]["info"]["run_id"]
    metrics = [{"key": k, "value": v, "timestamp": now, "step": s} for k, v, s in metrics_of(run, result)]
    params = [{"key": k, "value": v[:6000]} for k, v in params_of(task, result)]
    tags = [{"key": f"best.{name}", "value": parameter["best"][:5000]} for name, parameter in result["parameters"].items()]
    tags += [{"key": "simulated", "value": str(result["simulated"]).lower()}, {"key": "tgd.version", "value": result["version"]}]
    # The server takes at most 1000 metrics, 100 parameters and 100 tags at once.
    for i in range(0, max(len(metrics), 1), 1000):
        post(uri, "runs/log-batch", {"run_id": run_id, "metrics": metrics[i:i + 1000], "params": params[:100] if i == 0 else [],
                                     "tags": tags[:100] if i == 0 else []})
    status = {"ok": "FINISHED", "interrupted": "KILLED"}.get(result["status"], "FAILED")
    post(uri, "runs/update", {"run_id": run_id, "status": status, "end_time": now})
    print(f"logged {len(metrics)} figures of {run} as the run {run_id} of \"{experiment}\"")


if __name__ == "__main__":
    main()
