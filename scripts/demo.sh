#!/usr/bin/env bash
# The main job on real input: sets up the local engine and the training worker, climbs two tasks, and writes their reports.
# What it downloads goes under the user's cache directory; a second run pays for nothing twice.
set -euo pipefail
cd "$(dirname "$0")/.."
rung=bin/rung
out=${OUT:-out}
mkdir -p "$out"
say() { printf '\n── %s\n' "$*"; }

say "Setting up the local model and the training worker"
"$rung" setup --training

say "Fetching the function-calling cases (bfcl-eval, Apache-2.0)"
"${RUNG_PYTHON:-python3}" examples/functions/prepare.py

for task in handbook functions; do
  say "rung climb examples/$task/task.yaml"
  "$rung" climb "examples/$task/task.yaml"
  "$rung" show latest --store "examples/$task/.rung" --json >"$out/$task.json"
  "$rung" report --store "examples/$task/.rung" -o "$out/$task.html"
done

say "The two tasks end on different rungs, because the numbers say so"
"${RUNG_PYTHON:-python3}" - "$out" <<'PY'
import json, sys
rungs = {}
for task in ("handbook", "functions"):
    d = json.load(open(f"{sys.argv[1]}/{task}.json"))["decision"]
    rungs[task] = d["rung"]
    print(f"{task:10} {d['rung']:9} {d['verdict']:13} {d['reasons'][0]}")
if len(set(rungs.values())) != 2:
    sys.exit("the two tasks ended on the same rung")
PY
