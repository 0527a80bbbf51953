#!/usr/bin/env bash
# ansible-test wants a real ansible_collections directory above it, so it gets an installed copy below build/.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf build/ansible_collections build/tarball
mkdir -p build/tarball
ansible-galaxy collection build --force --output-path build/tarball . >/dev/null
ansible-galaxy collection install --force --no-deps --offline -p build build/tarball/*.tar.gz >/dev/null 2>&1

# ansible-test makes an environment for each of its tests and fetches a script that puts pip there. Python carries pip:
# where ansible-test looks for the fetched script it finds one that takes that.
export HOME=${MESHWRIGHT_CACHE:?}/ansible-test
cache=$HOME/.ansible/test/cache
mkdir -p "$cache"
echo 'import ensurepip; ensurepip.bootstrap(default_pip=True)' >"$cache/get_pip_24_2.py"

mkdir -p build/ansible_collections/meshwright/k3s_cilium/tests
cp -r tests/sanity build/ansible_collections/meshwright/k3s_cilium/tests/
cd build/ansible_collections/meshwright/k3s_cilium
# Inside a checkout that ignores build/ ansible-test would find no files: the copy is a repository of its own.
git init --quiet .
git add --all
# Left out: pylint (ruff and mypy --strict do its work), pslint and shellcheck (no PowerShell, no shell scripts shipped).
# What must run on Python 3.9 is checked by vermin, since hosts' Python versions need not be on this machine.
python=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
exec ansible-test sanity --color no --local --python "$python" \
  --skip-test pylint --skip-test pslint --skip-test shellcheck "$@"
