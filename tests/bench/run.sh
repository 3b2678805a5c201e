#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a benchmark as root: installs the proxies that are missing, builds, measures, and prints
# tables. `run.sh --help` lists the options; README.md explains the tables. The first argument may
# choose another benchmark: --library compares ttrpc libraries; --fairness measures one user's calls
# beside another user's flood; --reload measures calls during reloads; --policies measures large
# configurations; --workloads measures discovery: 2000 workloads that come and go, and the latency of
# a call through each kind of socket for them.
set -eu

PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

script=bench.py
case ${1-} in
  --library) shift && exec "$here/library/run.sh" "$@" ;;
  --fairness) script=fairness.py && shift ;;
  --reload) script=reload.py && shift ;;
  --policies) script=policies.py && shift ;;
  --workloads) script=workloads.py && shift ;;
esac

# This script only needs --build; the benchmark reads all options.
build=$root/build-bench
previous=
for word in "$@"; do
  case $word in
    --build=*) build=${word#--build=} ;;
    -h | --help) exec python3 -B "$here/$script" --help ;;
  esac
  [ "$previous" != --build ] || build=$word
  previous=$word
done

if [ "$(id -u)" -ne 0 ]; then
  echo "run.sh: must run as root: the proxies do" >&2
  exit 1
fi

install_missing() {
  packages=
  command -v nginx >/dev/null && nginx_has_stream || packages="$packages nginx libnginx-mod-stream"
  command -v haproxy >/dev/null || packages="$packages haproxy"
  command -v go >/dev/null || packages="$packages golang-go"
  command -v systemd-socket-activate >/dev/null || packages="$packages systemd"
  [ -n "$packages" ] || return 0
  # The packages would start system services, which this policy-rc.d prevents.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
  fi
  apt-get update -q >&2
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $packages >&2
  if [ -s $policy ]; then rm -f $policy; fi
  trap - EXIT
}

nginx_has_stream() {
  [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] ||
    nginx -V 2>&1 | grep -q -- '--with-stream\( \|$\)'
}

build_go_proxy() {
  # The newest ttrpc needs a newer Go than Debian 12 has. A Go from 1.21 on fetches a newer one
  # itself.
  modules=go.mod
  case $(go env GOVERSION) in
    go1.19* | go1.20*) modules=go-1.19.mod ;;
  esac
  (cd "$here/goproxy" && CGO_ENABLED=0 go build -modfile="$modules" -trimpath \
    -o "$build/tests/bench/ttrpc-bench-goproxy" .) >&2
}

install_missing
if [ ! -d "$build" ]; then
  # A distribution builds with these options, and the other proxies were built by one.
  meson setup "$build" "$root" --buildtype=release -Db_lto=true -Dtests=false -Dbench=true >&2
fi
build=$(cd "$build" && pwd)
ninja -C "$build" tests/bench/ttrpc-bench-load tests/bench/ttrpc-bench-echo >&2
if ninja -C "$build" -t targets all | grep -q '^daemon/ttrpc-proxyd:'; then
  ninja -C "$build" daemon/ttrpc-proxyd >&2
fi
[ $script != bench.py ] || build_go_proxy

exec python3 -B "$here/$script" "$@" --build "$build"
