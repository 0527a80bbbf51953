#!/usr/bin/env bash
# Installs those Debian packages of a list that are missing. Lines: one package each, `#` starts a comment.
set -euo pipefail

list=$1
missing=()
while read -r package; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$list")

[ "${#missing[@]}" -gt 0 ] || exit 0
echo "== packages: ${missing[*]}"
if [ "$(id -u)" != 0 ]; then
  echo "These Debian packages are missing: run as root: apt-get install ${missing[*]}" >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -qq -o DPkg::Lock::Timeout=300)
# The package lists may be absent or older than the mirror: they are read again only then.
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 </dev/null || {
  "${apt[@]}" update
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null
}
