#!/bin/sh
# npm run up: from a clone to a running Gantry with a first green pipeline. Safe to run again.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$@" >&2; }

sh tools/install-packages.sh

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
zstd zstd
LIST
)
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
if [ -n "$missing" ]; then
  install="apt-get install --no-install-recommends -y ${missing% }"
  # shellcheck disable=SC2086 # a list of words
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "Installing Debian packages: $missing…"
    started=$(date +%s)
    # What apt has to say is of interest only when it fails.
    if ! said=$( (apt-get -qq update && DEBIAN_FRONTEND=noninteractive $install) 2>&1); then
      say "$said" "error: Cannot install the Debian packages: apt-get said above why" "  next  $install"
      exit 1
    fi
    say "  done in $(($(date +%s) - started)) s"
  else
    say 'error: Cannot start: a few Debian packages are missing, and only root may install them' \
      "  next  apt-get update && $install    (as root), then npm run up"
    exit 1
  fi
fi

exec node_modules/.bin/node --use-system-ca src/app/up-main.ts "$@"
