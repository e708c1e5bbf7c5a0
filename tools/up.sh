#!/bin/sh
# npm run up: from a clone to a running Gantry with a first green pipeline. Safe to run again.
# Starts on whatever Node and npm the system has; everything after this file runs on the Node of the lock file.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

# npm packages, unless those of this lock file are here already. The lock file's hash says so.
stamp=node_modules/.gantry-lock
lock=$(sha256sum package-lock.json | cut -c1-64)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$lock" ]; then
  say "Installing npm packages …"
  started=$(date +%s)
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  printf '%s' "$lock" >"$stamp"
  say "  done in $(($(date +%s) - started)) s"
fi

# Debian packages: program → package. Sandboxes need those of the first line, base images those of the second.
missing=$(
  while read -r program package; do
    command -v "$program" >/dev/null 2>&1 || [ -x "/usr/sbin/$program" ] || [ -x "/sbin/$program" ] || printf '%s ' "$package"
  done <<'LIST'
git git
runc runc
bwrap bubblewrap
unshare util-linux
ip iproute2
nft nftables
busybox busybox-static
perl perl-base
dpkg-deb dpkg
tar tar
LIST
)
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
if [ -n "$missing" ]; then
  # shellcheck disable=SC2086 # a list of words
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "Installing Debian packages: $missing…"
    started=$(date +%s)
    apt-get -qq update >&2
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y $missing >/dev/null
    say "  done in $(($(date +%s) - started)) s"
  else
    say "Gantry needs a few Debian packages. Run this, then npm run up again:"
    say "  sudo apt-get update && sudo apt-get install --no-install-recommends -y $missing"
    exit 1
  fi
fi

exec node_modules/.bin/node --use-system-ca src/app/up-main.ts "$@"
