#!/bin/sh
# Runs a command in the Coqui engine's Python environment, which it makes first if it is missing or older than the lock:
#     scripts/coqui-env.sh pytest tests/test_text.py
# PYTHON names the interpreter to make it with (3.11 to 3.13; otherwise the first that is found).
set -eu

engine=$(cd "$(dirname "$0")/../engines/coqui" && pwd)
venv=$engine/.venv
wanted=$(cat "$engine"/*.lock "$engine/install.sh" | cksum)

find_python() {
  for name in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
    if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "coqui-env: no Python 3.11 to 3.13 found; name one with PYTHON=..." >&2
  exit 1
}

if [ "$(cat "$venv/made-from" 2>/dev/null)" != "$wanted" ]; then
  python=$(find_python)
  echo "coqui-env: making engines/coqui/.venv with $python (about 2 GB, a minute or two)" >&2
  "$python" -m venv --clear "$venv"
  "$engine/install.sh" "$venv/bin/python" "$engine/requirements-dev.lock" >&2
  echo "$wanted" >"$venv/made-from"
fi

[ $# -gt 0 ] || exit 0
cd "$engine"
PATH=$venv/bin:$PATH exec "$@"
