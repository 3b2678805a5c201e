#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs the Debian packages that are missing: tests/install-deps.sh [shim|build|demo|package|test|full]
#   shim   the shim that tests/demo.sh talks to
#   build  what meson and ninja need            demo  and the shim
#   package  and what systemd/build-deb.sh needs
#   test   and what tests/run.sh needs          full  and what tests/run.sh --full needs
# All groups but test and full exist on Debian 12 and 13; those two need Debian 12.
# Says and does nothing when all are there. Needs no more than bash and apt; never asks anything.
set -euo pipefail

group=${1:-build}

build_packages=(
  g++ meson ninja-build pkg-config
  libcap-ng-dev libcli11-dev libevent-dev libfmt-dev libgmock-dev libgtest-dev libmd-dev libprotobuf-dev
  libprotoc-dev libseccomp-dev libspdlog-dev libsystemd-dev libtomlplusplus-dev nlohmann-json3-dev
  protobuf-compiler
)
demo_packages=(containerd)
test_packages=(
  ca-certificates chromium clang-19 clang-format-14 clang-tidy-14 curl fonts-dejavu-core git
  libclang-rt-19-dev libssl-dev mandoc openssl prometheus python3 runc shellcheck systemd
)
# Where systemd looks for units stands in a package of its own from Debian 13 on.
systemd_dev=systemd-dev
# shellcheck source=/dev/null
debian=$(. /etc/os-release && echo "${VERSION_ID-}")
if [[ ${debian%%.*} == 12 ]]; then systemd_dev=systemd; fi
package_packages=(debhelper lintian "$systemd_dev")
full_packages=(
  debhelper debootstrap haproxy libgrpc++-dev lintian libnginx-mod-stream nginx protobuf-compiler-grpc
)

packages=("${build_packages[@]}")
case $group in
  shim) packages=("${demo_packages[@]}") ;;
  build) ;;
  demo) packages+=("${demo_packages[@]}") ;;
  package) packages+=("${package_packages[@]}") ;;
  test) packages+=("${demo_packages[@]}" "${test_packages[@]}") ;;
  full) packages+=("${demo_packages[@]}" "${test_packages[@]}" "${full_packages[@]}") ;;
  *)
    echo "install-deps.sh: no group '$group', expected shim, build, demo, package, test or full" >&2
    exit 64
    ;;
esac
# A Go of any other origin is newer than Debian's and is preferred. A cargo that is new enough is found
# or installed by tests/interop itself, which without one skips those peers aloud.
if [[ $group == test || $group == full ]] && ! command -v go >/dev/null; then
  packages+=(golang-go)
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null || true)
  [[ $state == ?i\ * ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $(id -u) -ne 0 ]]; then
  echo "install-deps.sh: not root; missing packages: ${missing[*]}" >&2
  exit 1
fi

# Packages of servers (containerd, nginx, haproxy) start them when they are installed. We only want
# their programs: while we install, policy-rc.d says no. One that somebody else put there says what
# they want, and stays; one of ours that a killed run left behind is taken over.
readonly policy=/usr/sbin/policy-rc.d
readonly mark="Put here by ttrpc-proxy's tests/install-deps.sh while it runs."
if [[ ! -e $policy ]] || grep -qF "$mark" "$policy"; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" >"$policy"
  chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
update() { "${apt[@]}" update </dev/null; }
install() { "${apt[@]}" install --no-install-recommends "${missing[@]}" </dev/null; }

echo "install-deps.sh: installing ${missing[*]}"
# A minimal machine comes without package lists; an older one with lists that name files long gone.
compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || update
install || { update && install; }
