#!/usr/bin/env bash
# Ships what a climb decided, as the README does: release, serve, ask, canary, rollback; and holds each answer to the release
# that it should come from. Takes the directory of a task that was climbed, and an input of it.
set -euo pipefail
dir=$(cd "${1:?usage: ship.sh TASK_DIR INPUT}" && pwd)
input=${2:?usage: ship.sh TASK_DIR INPUT}
cd "$(dirname "$0")/.."
rung="$PWD/bin/rung"
python=${RUNG_PYTHON:-python3}
cd "$dir"
log=$(mktemp)
trap 'kill "$server" 2>/dev/null || true; rm -f "$log"' EXIT

"$rung" release --production
task=$("$rung" releases --json | "$python" -c 'import json,sys; print(json.load(sys.stdin)["releases"][0]["task"])')
# A second release to move traffic to: the best of the rungs that did not meet the bar.
other=$("$rung" show latest --json | "$python" -c '
import json, sys
doc = json.load(sys.stdin)
scored = [r for r in doc["rungs"] if r["status"] == "scored" and r["candidate"] != doc["decision"]["candidate"]]
print(max(scored, key=lambda r: r["metrics"][doc["bar"]["metric"]]["value"])["candidate"])')
"$rung" release --candidate "$other" --force --note "for a canary"

"$rung" serve --listen 127.0.0.1:0 >"$log" 2>&1 &
server=$!
for _ in $(seq 300); do
  url=$(sed -n 's/^listening on //p' "$log")
  [ -n "$url" ] && break
  kill -0 "$server" || { cat "$log"; exit 1; }
  sleep .1
done

ask() {
  "$python" - "$url" "$task" "$input" <<'PY'
import json, sys, urllib.request
url, task, text = sys.argv[1:]
body = json.dumps({"model": task, "messages": [{"role": "user", "content": text}]}).encode()
request = urllib.request.Request(url + "/v1/chat/completions", body, {"Content-Type": "application/json"})
answer = json.load(urllib.request.urlopen(request, timeout=300))
print(answer["rung"]["release"], answer["choices"][0]["message"]["content"])
PY
}
first=$(ask); echo "$first"
[[ $first == "$task@v1 "* ]] || { echo "the answer is not of v1"; exit 1; }
"$rung" rollout start "$task" v2 --share 50% --why "to try it"
sleep 1 # running gateways follow within a second
seen=""
for _ in $(seq 20); do seen+="$(ask | cut -d' ' -f1) "; done
echo "$seen"
[[ $seen == *@v1* && $seen == *@v2* ]] || { echo "the canary does not share the traffic"; exit 1; }
"$rung" rollout status
"$rung" rollout rollback "$task" --why "it was only a try"
sleep 1
for _ in 1 2 3 4 5; do [[ $(ask) == "$task@v1 "* ]] || { echo "an answer after the rollback is not of v1"; exit 1; }; done
"$rung" rollout history
"$rung" traces -n 3
kill "$server"
wait "$server" || true
"$rung" traces --json -n 0 | "$python" -c 'import json,sys; n=len(json.load(sys.stdin)["traces"]); print(n, "traces"); sys.exit(n != 26)'
