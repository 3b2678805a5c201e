#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The benchmark in one command, as root: installs the proxies that are missing, builds, measures,
# prints tables. `run.sh --help` lists the options; README.md tells how to read the result.
# First may stand which benchmark it is: --library: ttrpc libraries against each other; --fairness: one
# user beside another one's flood; --reload: under load; --policies: large configurations.
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
esac

# Only --build matters here; the script reads all of the options.
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
  # Their packages would start system services, which nobody asked for here.
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
  # The newest ttrpc needs a newer Go than Debian 12 has (one of 1.21 or later fetches it itself).
  modules=go.mod
  case $(go env GOVERSION) in
    go1.19* | go1.20*) modules=go-1.19.mod ;;
  esac
  (cd "$here/goproxy" && CGO_ENABLED=0 go build -modfile="$modules" -trimpath \
    -o "$build/tests/bench/ttrpc-bench-goproxy" .) >&2
}

install_missing
if [ ! -d "$build" ]; then
  # As a distribution builds it: the others are measured as theirs were built.
  meson setup "$build" "$root" --buildtype=release -Db_lto=true -Dtests=false -Dbench=true >&2
fi
build=$(cd "$build" && pwd)
ninja -C "$build" tests/bench/ttrpc-bench-load tests/bench/ttrpc-bench-echo >&2
if ninja -C "$build" -t targets all | grep -q '^daemon/ttrpc-proxyd:'; then
  ninja -C "$build" daemon/ttrpc-proxyd >&2
fi
[ $script != bench.py ] || build_go_proxy

exec python3 -B "$here/$script" "$@" --build "$build"
