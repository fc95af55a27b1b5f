#!/usr/bin/env bash
# Training speed against TRL's SFTTrainer on SNIPS commands, q and v alone and all linear layers. Takes the data folder that
# holds snips/train.jsonl; installs TRL, pinned by hash, into a virtual environment under the user's cache directory.
set -euo pipefail
data=$(cd "${1:?usage: run.sh DATA [compare.py options]}" && pwd)
shift
cd "$(dirname "$0")"
rung=../../bin/rung
[ -x "$rung" ] || { echo "run make build first" >&2; exit 2; }
steps=$("$rung" setup --training --json)
step() { "${RUNG_PYTHON:-python3}" -c 'import json,sys; print(next(s["path"] for s in json.load(sys.stdin)["steps"] if s["name"] == sys.argv[1]))' "$1" <<<"$steps"; }
base=$(step smollm2-135m)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/rung
venv=$cache/bench-train-$(sha256sum requirements.lock | cut -c1-12)
if [ ! -e "$venv/ready" ]; then
  uv=$(find "$cache/tools" -name uv -type f | head -1)
  "$uv" venv -q --python "${RUNG_PYTHON:-python3}" "$venv"
  VIRTUAL_ENV=$venv "$uv" pip sync -q --require-hashes requirements.lock
  touch "$venv/ready"
fi
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT
"$venv/bin/python" rows.py --base "$base" --data "$data/snips" --n 64 --out "$rows"
for targets in qv all; do
  "$venv/bin/python" compare.py --base "$base" --rows "$rows" --targets "$targets" "$@"
done
