#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Boots a container that tests may break, a "machine": tests/systemd/machine.sh BASE WORK [LAYER]
#
# It boots the systemd of BASE (a directory with a Debian in it, or /) as process 1 of new pid,
# mount, cgroup, ipc, uts and net namespaces, on an overlay whose upper layer is in memory. Nothing
# that happens there changes BASE or this machine. WORK is an empty directory for the mounts. The
# files in LAYER are put over BASE first. If BASE is /, no unit of this machine's own /etc starts.
#
# It writes the process id of that systemd to WORK/pid, and runs until SIGTERM or until its parent
# has died. Then it kills all processes of the machine and removes its control group. The file can
# also be sourced, for machine_start, machine_run and machine_stop.
set -uo pipefail

machine_file=$(realpath "${BASH_SOURCE[0]}")
machine_pid=
# shellcheck disable=SC2034 # other scripts use it
machine_root=
machine_runner=

# machine_problem prints why no machine can be started here, or nothing.
machine_problem() {
  if [[ $(id -u) -ne 0 ]]; then
    echo "not root"
  elif [[ ! -x /lib/systemd/systemd ]]; then
    echo "no systemd"
  elif ! unshare --mount --pid --fork --cgroup --ipc --uts --net true 2>/dev/null; then
    echo "no namespaces: $(unshare --mount --pid --fork --cgroup --ipc --uts --net true 2>&1)"
  elif ! unshare --mount bash -c "
    mount -t tmpfs none /mnt && mkdir /mnt/{u,w,m} && mkdir /mnt/c &&
    mount -t overlay none -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/m &&
    mount -t cgroup2 none /mnt/c && [[ -w /mnt/c\$(sed -n s/^0:://p /proc/self/cgroup) ]]" 2>/dev/null; then
    echo "no overlay or no cgroup2 may be mounted"
  fi
}

# machine_start BASE WORK [LAYER] returns when the machine has booted. Its root is $machine_root.
machine_start() {
  local tries=200
  rm -f "$2/pid"
  setpriv --pdeathsig TERM -- unshare --mount --propagation private -- \
    bash "$machine_file" "$@" >"$2/console" 2>&1 </dev/null &
  machine_runner=$!
  until [[ -s $2/pid && -e /proc/$(<"$2/pid")/root/run/systemd/private ]]; do
    if ((--tries == 0)) || ! kill -0 "$machine_runner" 2>/dev/null; then
      echo "the machine did not boot:" && cat "$2/console"
      return 1
    fi
    sleep 0.1
  done
  machine_pid=$(<"$2/pid")
  # shellcheck disable=SC2034
  machine_root=/proc/$machine_pid/root
  local state
  state=$(machine_run timeout 60 systemctl is-system-running --wait)
  [[ $state == running || $state == degraded ]] || { echo "the machine is '$state'" && return 1; }
}

# machine_run COMMAND… runs a command in the machine as root.
machine_run() {
  nsenter --target "$machine_pid" --mount --uts --ipc --net --pid --cgroup -- \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}

machine_stop() {
  if [[ -n $machine_runner ]]; then
    kill "$machine_runner" 2>/dev/null
    wait "$machine_runner"
  fi
  machine_runner=
  machine_pid=
}

# The rest runs in a mount namespace of its own.

give() { # FILE…; devices of this machine that every program needs
  local name
  for name in "$@"; do
    : >"dev/$name"
    mount --bind "/dev/$name" "dev/$name"
  done
}

# This runs as process 1 in the new root, and makes what a systemd in a container expects.
inner() { # ROOT
  cd "$1" || return
  mount -t proc proc proc && mount --bind proc/sys proc/sys &&
    mount -o remount,bind,ro proc/sys && mount -t sysfs -o ro sysfs sys &&
    mount -t cgroup2 cgroup2 sys/fs/cgroup || return
  mount -t tmpfs -o mode=755 tmpfs dev && mkdir dev/pts dev/shm &&
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts &&
    ln -s pts/ptmx dev/ptmx && ln -s /proc/self/fd dev/fd && give null zero full random urandom tty ||
    return
  mount -t tmpfs -o mode=755 tmpfs run && mount -t tmpfs -o mode=1777 tmpfs tmp || return
  hostname ttrpc-machine
  pivot_root . mnt && umount -l /mnt || return
  exec env -i container=ttrpc-proxy-test /lib/systemd/systemd --system --unit=multi-user.target
}

prepare_root() { # BASE WORK [LAYER]
  local root=$2/root
  mount -t tmpfs -o mode=755 tmpfs "$2" && mkdir "$2"/{upper,scratch,root,cgroup} &&
    mount -t overlay overlay "$root" \
      -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/scratch" || return
  if [[ $1 == / ]]; then mount -t tmpfs -o mode=755 tmpfs "$root/etc/systemd/system" || return; fi
  # The machine has no disks, cannot set the time, and has no users that log in.
  : >"$root/etc/fstab"
  local unit
  for unit in timers.target getty.target systemd-sysctl.service systemd-timesyncd.service \
    systemd-resolved.service systemd-networkd.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  # A directory of the layer may be a link in the base, as /lib is.
  if [[ -n ${3-} ]]; then
    tar -C "$3" -c . | tar -C "$root" -x --keep-directory-symlink --no-same-owner \
      --no-overwrite-dir || return
  fi
}

outer() { # BASE WORK [LAYER]
  # The parts of this machine that stay visible are in the directory below the tmpfs.
  local outside child='' ended=false
  exec {outside}<"$2" && prepare_root "$@" || return
  local groups=$2/cgroup
  mount -t cgroup2 cgroup2 "$groups" || return
  groups+=$(sed -n 's/^0:://p' /proc/self/cgroup)
  local group=$groups/ttrpc-proxy-test-$$
  mkdir "$group" || return
  trap 'ended=true; if [[ -n $child ]]; then kill -KILL "$child" 2>/dev/null; fi' TERM INT HUP
  # The namespace treats the group of its first process as the root of all groups. That group must
  # then be empty, so that groups can be made below it.
  echo $$ >"$group/cgroup.procs"
  unshare --fork --pid --kill-child=KILL --cgroup --ipc --uts --net --mount --propagation private -- \
    bash "$machine_file" --inner "$2/root" &
  local runner=$! tries=100
  until child=$(tr -d ' ' <"/proc/$runner/task/$runner/children") && [[ -n $child ]]; do
    ((--tries > 0)) || return
    sleep 0.05
  done
  echo $$ >"$groups/cgroup.procs"
  echo "$runner" >"$groups/cgroup.procs"
  if $ended; then kill -KILL "$child"; fi
  echo "$child" >"/proc/self/fd/$outside/pid"
  until ! kill -0 "$runner" 2>/dev/null; do wait "$runner"; done
  tries=100
  until grep -q 'populated 0' "$group/cgroup.events" || ((--tries == 0)); do sleep 0.05; done
  find "$group" -depth -type d -exec rmdir {} +
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  if [[ $1 == --inner ]]; then inner "$2"; else outer "$@"; fi
fi
