#!/usr/bin/env bash
# Runs the training worker's tests in the managed training environment, with pytest from the development one.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/python.sh -c 'pass'
tools=$(scripts/python.sh -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
train=$(bin/rung setup --training --json | "${RUNG_PYTHON:-python3}" -c 'import json,sys; print(next(s["path"] for s in json.load(sys.stdin)["steps"] if s["name"] == "training"))')
cd python
PYTHONPATH="$tools:." exec "$train/bin/python" -m pytest -q -p no:cacheprovider rungworker/tests ../examples/functions "$@"
