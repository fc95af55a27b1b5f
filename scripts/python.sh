#!/usr/bin/env bash
# Runs Python from a virtual environment for development (pytest, ruff), made once under the user's cache directory.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${RUNG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rung}
lock=python/dev-requirements.txt
env="$cache/dev-$(sha256sum "$lock" | cut -c1-12)"
if [ ! -x "$env/ready" ]; then
  rm -rf "$env"
  "${RUNG_PYTHON:-python3}" -m venv "$env"
  "$env/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  printf '#!/bin/sh\n' >"$env/ready"; chmod +x "$env/ready"
fi
exec "$env/bin/python" "$@"
