#!/bin/sh
# Installs the engine's dependencies, exactly as locked, into the environment of a Python:
#     install.sh PYTHON [LOCK ...]        (LOCKs besides requirements.lock)
set -eu

python=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
torch=$(grep '^torch==' "$here/requirements.lock")

pip() { "$python" -m pip --disable-pip-version-check install --quiet --no-deps "$@"; }

# PyPI's torch for Linux comes with gigabytes of CUDA. The CPU build may be at hand (PIP_FIND_LINKS, or an index that has
# it); otherwise it is fetched from PyTorch's CPU index. On a Mac, PyPI's is the CPU build.
case $(uname -s) in
Linux) pip "$torch+cpu" 2>/dev/null || pip --index-url https://download.pytorch.org/whl/cpu "$torch" ;;
*) pip "$torch" ;;
esac

pip -r "$here/requirements.lock"
for lock in "$@"; do pip -r "$lock"; done

# PyPI's torchaudio is linked against CUDA and cannot be imported without it; its Python part is all that is used.
packages=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
rm -f "$packages"/torchaudio/lib/*.so
"$python" -m pip --disable-pip-version-check check
