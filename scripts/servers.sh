#!/usr/bin/env bash
# Installs the servers and the browser that some tests start, from the system's packages, where that is possible without asking:
# as root on Debian and its kin. Elsewhere the tests that need them skip with a message.
set -euo pipefail
missing=()
[ -n "$(find /usr/lib/postgresql -name initdb 2>/dev/null)" ] || command -v initdb >/dev/null || missing+=(postgresql)
command -v docker-registry >/dev/null || command -v registry >/dev/null || missing+=(docker-registry)
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "not here, and not installed: ${missing[*]}; the tests that need them skip"
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
{ apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1 ||
  echo "could not be installed: ${missing[*]}; the tests that need them skip"
