#!/usr/bin/env bash
# Climbs tasks made of public data with the local model, and holds what must be true of any machine: slots get
# better rung by rung, a closed book knows nothing, retrieval helps, and training to read the passages helps far more. Then it sets
# two rungs side by side, gates one against itself, ships the adapter and answers with it.
set -euo pipefail
shared=$(cd "${1:?usage: climb-real.sh SHARED}" && pwd)
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 scripts/realdata.py "$shared" "$work"
bin/rung climb "$work/snips/task.yaml" --all --full --json >"$work/snips.json"
bin/rung climb "$work/squad/task.yaml" --rungs prompt,rag,rag+lora --all --full --json >"$work/squad.json"
bin/rung show latest --store "$work/snips/.rung"
bin/rung show latest --store "$work/squad/.rung"
bin/rung compare "$work/snips/task.yaml" latest:fewshot latest:lora
bin/rung gate "$work/snips/task.yaml" latest:lora --baseline "$work/baseline.json" --write
bin/rung gate "$work/snips/task.yaml" latest:lora --baseline "$work/baseline.json" --margin 0.05 # itself: nothing has fallen
scripts/ship.sh "$work/snips" "play some jazz by Miles Davis"
python3 - "$work" <<'PY'
import json, sys

def values(task, metric):
    with open(f"{sys.argv[1]}/{task}.json") as file:
        rungs = json.load(file)["rungs"]
    return {r["rung"]: r["metrics"][metric]["value"] for r in rungs if r["status"] == "scored"}

snips, squad = values("snips", "slot_f1"), values("squad", "token_f1")
print("snips slot_f1", snips)
print("squad token_f1", squad)
assert snips["prompt"] < snips["fewshot"] < snips["lora"], "the slots do not get better rung by rung"
assert squad["prompt"] < 0.1, "a closed book knows too much"
assert squad["rag"] > squad["prompt"], "retrieval does not help"
assert squad["rag+lora"] > 1.5 * squad["rag"], "training to read passages does not help"
PY
