#!/usr/bin/env bash
# Measures what docs/attacks.md says: attacks on the adapter of the snips climb and on its base, the sets of others planted whole,
# canaries after training with them, and what the adapter has forgotten of IFEval. SHARED holds the public data sets; RUNG is the
# program (default bin/rung). About an hour on two cores that nobody else uses; stopped, it goes on where it was.
set -euo pipefail
shared=$(cd "${1:?usage: measure.sh SHARED OUT}" && pwd)
mkdir -p "${2:?usage: measure.sh SHARED OUT}"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."
rung=${RUNG:-bin/rung}
n=${N:-24}
[ -d "$out/snips" ] || python3 scripts/realdata.py "$shared" "$out"
task=$out/snips/task.yaml
"$rung" climb "$task" --rungs lora --all
"$rung" attack "$task" lora --against base -n "$n"
"$rung" attack "$task" lora --attacks "$shared/data/deepset_prompt_injections/train.jsonl" -n 100
"$rung" attack "$task" lora --attacks "$shared/data/bipia/attacks.jsonl" --into tool -n 100
"$rung" forgetting "$task" lora --prompts "$shared/data/ifeval/all.jsonl"
if [ ! -d "$out/canaries" ]; then
  cp -r "$out/snips" "$out/canaries"
  rm -rf "$out/canaries/.rung"
  sed -i 's/^training: .*/training: {wall: 10m, canaries: 16}/' "$out/canaries/task.yaml"
fi
"$rung" climb "$out/canaries/task.yaml" --rungs lora --all
"$rung" attack "$out/canaries/task.yaml" lora --against base --kinds training_leak -n "$n"
