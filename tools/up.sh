#!/bin/sh
# npm run up: from a clone to a running Gantry with a first green pipeline. Safe to run again.
set -eu
cd "$(dirname "$0")/.."

# As the command line chooses its language.
case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in
  zh* | ZH*)
    installing='正在安装 Debian 软件包：'
    took() { printf '  用时 %s 秒' "$1"; }
    apt_failed='错误：无法安装 Debian 软件包，原因见上方 apt-get 的输出'
    lacking='错误：无法启动：缺少几个 Debian 软件包，只有 root 可以安装'
    next='下一步'
    then_up='（以 root 执行），然后再运行 npm run up'
    ;;
  *)
    installing='Installing Debian packages: '
    took() { printf '  done in %s s' "$1"; }
    apt_failed='error: Cannot install the Debian packages: apt-get said above why'
    lacking='error: Cannot start: a few Debian packages are missing, and only root may install them'
    next='next '
    then_up='(as root), then npm run up'
    ;;
esac

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
    say "$installing$missing…"
    started=$(date +%s)
    # What apt has to say is of interest only when it fails.
    if ! said=$( (apt-get -qq update && DEBIAN_FRONTEND=noninteractive $install) 2>&1); then
      say "$said" "$apt_failed" "  $next $install"
      exit 1
    fi
    say "$(took $(($(date +%s) - started)))"
  else
    say "$lacking" "  $next apt-get update && $install    $then_up"
    exit 1
  fi
fi

exec node_modules/.bin/node --use-system-ca src/app/up-main.ts "$@"
