#!/usr/bin/env bash
# Every benchmark, one after another, as ratios in one run each; bench/README.md says what they measure.
set -euo pipefail
cd "$(dirname "$0")/.."
go run ./bench/eval
go run ./bench/local
if [ -e "${RUNG_SHARED:-../shared}/data/snips/train.jsonl" ]; then
  bench/train/run.sh "${RUNG_SHARED:-../shared}/data"
else
  echo "no SNIPS data here: the training benchmark is left out"
fi
echo "start-up and size"
for _ in 1 2 3 4 5; do
  /usr/bin/env bash -c 'time bin/rung --help >/dev/null' 2>&1 | grep real
done
ls -l bin/rung
