#!/bin/sh
# npm run packages: the npm packages of the lock file, Node 24 among them, unless they are here already.
# Runs on whatever Node and npm the system has; everything after it runs on the Node of the lock file.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

refuse() {
  say "error: Cannot install the npm packages: $1"
  say "  next  $2"
  exit 1
}

major_of() { "$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }

options='--ignore-scripts --no-audit --no-fund --loglevel=error'
# The stamp says of which lock file they are.
stamp=node_modules/.gantry-lock
lock=$(sha256sum package-lock.json | cut -c1-64)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$lock" ]; then
  get='apt-get install --no-install-recommends npm    (as root on Debian 12; it brings a Node along)'
  npm=$(npm --version 2>/dev/null) || refuse 'npm is not there, or does not run' "$get"
  # Older ones read the lock file in other ways.
  [ "${npm%%.*}" -ge 9 ] 2>/dev/null || refuse "npm 9 or newer is needed, and this is $npm" "$get"
  say 'Installing npm packages …'
  started=$(date +%s)
  system=$(major_of node)
  # shellcheck disable=SC2086 # a list of words
  npm ci $options >&2 || refuse 'npm ci failed, and said above why' \
    'npm run packages    (behind a proxy first: npm config set https-proxy ADDRESS, npm config set cafile FILE)'
  # npm leaves out, without a word, programs for this machine that do not fit the Node it runs on itself; of Debian 12 that
  # is 18. So it looks again, on the Node that it has just brought. Debian's npm finds its own parts by NODE_PATH.
  node=$(find node_modules/node-linux-*/bin/node 2>/dev/null | head -n 1)
  if [ -n "$node" ] && [ "$system" -lt 24 ]; then
    # shellcheck disable=SC2086 # a list of words
    NODE_PATH=/usr/share/nodejs "$node" --no-deprecation --use-system-ca "$(readlink -f "$(command -v npm)")" \
      install --no-save $options >&2 || refuse 'npm install failed, and said above why' 'npm run packages'
  fi
  printf '%s' "$lock" >"$stamp"
  say "  done in $(($(date +%s) - started)) s"
fi

# npm 9 takes away the program of the package for this machine together with that for other machines.
if ! [ -x node_modules/.bin/node ]; then
  node=$(find node_modules/node-linux-*/bin/node 2>/dev/null | head -n 1)
  if [ -n "$node" ]; then
    ln -sf "../${node#node_modules/}" node_modules/.bin/node
  else
    # No package brings one for this machine: the system's own may do.
    [ "$(major_of node)" -ge 24 ] || refuse "they bring Node 24 for Linux on x64 and arm64 alone, and this is $(uname -sm)" \
      'install Node 24 or newer yourself, then npm run packages'
    ln -sf "$(command -v node)" node_modules/.bin/node
  fi
fi
