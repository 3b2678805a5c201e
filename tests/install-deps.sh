#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs the missing Debian packages of a group: tests/install-deps.sh [GROUP] (default: build)
#   shim     the containerd that tests/demo.sh runs
#   build    the packages that meson and ninja need
#   demo     build and shim
#   package  build, and the packages that systemd/build-deb.sh needs
#   test     demo, and the packages that tests/run.sh needs
#   full     test, and the packages that tests/run.sh --full needs
# The groups test and full need Debian 12; the others exist on Debian 12 and 13.
# The script prints and does nothing if all packages are installed. It needs only bash and apt, and
# never asks a question.
set -euo pipefail

group=${1:-build}

build_packages=(
  g++ meson ninja-build pkg-config
  libcap-ng-dev libcli11-dev libevent-dev libfmt-dev libgmock-dev libgtest-dev libmd-dev libprotobuf-dev
  libprotoc-dev libseccomp-dev libspdlog-dev libsystemd-dev libtomlplusplus-dev nlohmann-json3-dev
  protobuf-compiler
)
demo_packages=(containerd runc)
# The containers run busybox. Its two packages exclude each other, and either of them will do.
if ! command -v busybox >/dev/null; then demo_packages+=(busybox-static); fi
test_packages=(
  ca-certificates chromium clang-19 clang-format-14 clang-tidy-14 cmake curl fonts-dejavu-core git
  libclang-rt-19-dev libssl-dev mandoc openssl prometheus python3 shellcheck systemd
)
# From Debian 13 on, systemd.pc, which names the directories of units, has a package of its own.
systemd_dev=systemd-dev
# shellcheck source=/dev/null
debian=$(. /etc/os-release && echo "${VERSION_ID-}")
if [[ ${debian%%.*} == 12 ]]; then systemd_dev=systemd; fi
package_packages=(build-essential debhelper lintian "$systemd_dev")
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
    echo "install-deps.sh: unknown group \"$group\"; use shim, build, demo, package, test or full" >&2
    exit 64
    ;;
esac
# A Go from elsewhere is newer than Debian's and is preferred. tests/interop itself finds or installs
# a cargo that is new enough; without one it reports that it skips those peers.
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
  echo "install-deps.sh: must be root to install missing packages: ${missing[*]}" >&2
  exit 1
fi

# Packages of servers (containerd, nginx, haproxy) start the servers when they are installed. The
# tests only need the programs, so a policy-rc.d forbids starts meanwhile. An existing policy-rc.d
# stays as it is, except for our own that a killed run left behind.
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
# A minimal machine has no package lists, and old lists name files that no longer exist.
compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || update
install || { update && install; }
