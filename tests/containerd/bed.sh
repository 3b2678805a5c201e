# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# This file runs a private containerd for tests and for the demo. It is to be sourced.
#
# A bed is a set of new namespaces with a /run of its own. containerd has its usual paths there,
# which are short enough for sockets, and touches nothing of this machine's containerd. All
# processes of the bed end with its first one. It shares only the control groups with the machine,
# below two directories that have the bed's name and that bed_leave removes.
#
# Outside: bed_problem, bed_enter, bed_leave. Inside, as the process that bed_enter runs: the rest.
# Inside, `ctr` works without options, because the environment names the namespace and the
# snapshotter.

# containerd 2.x warns about a control group of version 1 in the output of each ctr.
export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1
export bed_namespace=${bed_namespace-bed$$}
bed_runner=
bed_containerd=
bed_image=
readonly bed_socket=/run/containerd/containerd.sock bed_state=/run/containerd bed_files=/run/bed
# shellcheck disable=SC2034 # the scripts that source this file read it
readonly bed_bundles=$bed_state/io.containerd.runtime.v2.task

# This command runs another one as the first process of new namespaces.
# shellcheck disable=SC2016 # the inner shell expands them
readonly bed_isolated=(
  unshare --pid --fork --kill-child --mount-proc --mount --propagation private --net --ipc --uts --
  bash -c 'umask 022 && mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/ttrpc-proxy "$0" &&
    exec "$@"' "$bed_files"
)

# bed_problem prints why there can be no bed here, or nothing.
bed_problem() {
  local program groups=/sys/fs/cgroup
  if [[ $(id -u) -ne 0 ]]; then
    echo "not root"
    return
  fi
  for program in containerd ctr containerd-shim-runc-v2 runc busybox; do
    if ! command -v "$program" >/dev/null; then
      echo "no $program"
      return
    fi
  done
  if ! "${bed_isolated[@]}" true 2>/dev/null; then
    echo "no namespaces: $("${bed_isolated[@]}" true 2>&1)"
    return
  fi
  # In version 1 of control groups, each controller has a hierarchy of its own.
  [[ -e $groups/cgroup.procs ]] || groups=$groups/devices
  if mkdir "$groups/$bed_namespace" 2>/dev/null; then
    rmdir "$groups/$bed_namespace"
  else
    echo "no control group may be made in $groups"
  fi
}

# bed_enter COMMAND… runs a command in a new bed, and returns its exit status. The bed ends with
# this shell, however this shell ends.
bed_enter() {
  local status=0
  setpriv --pdeathsig KILL -- "${bed_isolated[@]}" "$@" </dev/null &
  bed_runner=$!
  wait "$bed_runner" || status=$?
  bed_runner=
  return "$status"
}

bed_groups() {
  find /sys/fs/cgroup -mindepth 1 -depth -type d \
    \( -path "*/$bed_namespace" -o -path "*/$bed_namespace/*" -o -path "*/$bed_namespace-*" \)
}

# bed_leave ends a bed that still runs, and removes its control groups when they are empty.
bed_leave() {
  local groups tries
  if [[ -n $bed_runner ]]; then
    kill -KILL "$bed_runner" 2>/dev/null || true
    wait "$bed_runner" 2>/dev/null || true
    bed_runner=
  fi
  for ((tries = 100; tries > 0; tries--)); do
    groups=$(bed_groups 2>/dev/null) || true # some have gone meanwhile
    [[ -n $groups ]] || return 0
    xargs -d '\n' rmdir <<<"$groups" 2>/dev/null || true
    sleep 0.05
  done
}

# within COMMAND… waits up to 20 s for a command to succeed, and prints its last output if it never
# does.
within() {
  local tries=200
  until "$@" >"$bed_files/within" 2>&1; do
    if ((--tries == 0)); then
      cat "$bed_files/within"
      return 1
    fi
    sleep 0.1
  done
}

# bed_configure DIRECTORY VERSION: containerd keeps images and snapshots in DIRECTORY. VERSION is
# that of its configuration. The plugins that are off would serve Kubernetes, or would make files
# outside DIRECTORY and /run.
bed_configure() {
  export CONTAINERD_NAMESPACE=$bed_namespace CONTAINERD_SNAPSHOTTER=native
  cat >"$bed_files/containerd.toml" <<TOML
version = $2
root = "$1"
state = "$bed_state"
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.cri.v1.images",
  "io.containerd.cri.v1.runtime",
  "io.containerd.podsandbox.controller.v1.podsandbox",
  "io.containerd.nri.v1.nri",
  "io.containerd.internal.v1.opt",
]

[grpc]
address = "$bed_socket"

[ttrpc]
address = "$bed_socket.ttrpc"
TOML
}

# bed_start returns when containerd serves. Its log is $bed_files/containerd.log.
bed_start() {
  containerd --config "$bed_files/containerd.toml" >>"$bed_files/containerd.log" 2>&1 &
  bed_containerd=$!
  within timeout 5 ctr version && return
  tail -n 20 "$bed_files/containerd.log"
  return 1
}

# bed_stop SIGNAL ends containerd. Its containers stay.
bed_stop() {
  kill -"$1" "$bed_containerd"
  wait "$bed_containerd" || true
  bed_containerd=
}

# bed_blob FILE moves a file into the image and prints the members `digest` and `size` of its
# descriptor.
bed_blob() {
  local digest size
  digest=$(sha256sum "$1" | cut -d ' ' -f 1)
  size=$(stat -c %s "$1")
  mv "$1" "$bed_files/image/blobs/sha256/$digest"
  echo "\"digest\": \"sha256:$digest\", \"size\": $size"
}

# bed_root DIRECTORY makes the root of the containers: busybox, and its libraries if it has any.
bed_root() {
  local busybox name
  busybox=$(command -v busybox)
  mkdir -p "$1"/{bin,dev,etc,proc,sys,tmp}
  cp -L "$busybox" "$1/bin/busybox"
  for name in sh sleep echo; do ln -s busybox "$1/bin/$name"; done
  { ldd "$busybox" 2>/dev/null || true; } | sed -n 's|[^/]*\(/[^ ]*\) .*|\1|p' |
    while read -r name; do
      mkdir -p "$1${name%/*}" && cp -L "$name" "$1$name"
    done
}

# bed_make_image writes an image of one layer to $bed_files/image.tar.
bed_make_image() {
  local image=$bed_files/image root=$bed_files/root platform layer digest config manifest
  local types=application/vnd.oci.image
  platform="\"architecture\": \"$(dpkg --print-architecture)\", \"os\": \"linux\""
  mkdir -p "$image/blobs/sha256" && bed_root "$root" || return
  tar -C "$root" --sort=name --owner=0 --group=0 --mtime=@0 -cf "$image/layer" . || return
  layer=$(bed_blob "$image/layer")
  digest=${layer#*: }
  cat >"$image/config" <<JSON
{$platform, "config": {"Env": ["PATH=/bin"]},
 "rootfs": {"type": "layers", "diff_ids": [${digest%%,*}]}}
JSON
  config=$(bed_blob "$image/config")
  cat >"$image/manifest" <<JSON
{"schemaVersion": 2, "mediaType": "$types.manifest.v1+json",
 "config": {"mediaType": "$types.config.v1+json", $config},
 "layers": [{"mediaType": "$types.layer.v1.tar", $layer}]}
JSON
  manifest=$(bed_blob "$image/manifest")
  cat >"$image/index.json" <<JSON
{"schemaVersion": 2, "manifests": [
 {"mediaType": "$types.manifest.v1+json", $manifest, "platform": {$platform},
  "annotations": {"io.containerd.image.name": "docker.io/library/bed:1",
                  "org.opencontainers.image.ref.name": "1"}}]}
JSON
  echo '{"imageLayoutVersion": "1.0.0"}' >"$image/oci-layout"
  tar -C "$image" -cf "$bed_files/image.tar" oci-layout index.json blobs
}

# bed_import puts the image into the namespace of containerd that the environment names, and sets
# bed_image to its name there. A container unpacks it, into the snapshotter that it needs.
bed_import() {
  [[ -e $bed_files/image.tar ]] || bed_make_image || return
  timeout 60 ctr images import --no-unpack "$bed_files/image.tar" || return
  bed_image=$(ctr images ls -q | head -n 1)
  [[ -n $bed_image ]] || { echo "containerd has imported no image" && return 1; }
}

# bed_run ID [OPTION…] runs a container that waits; the options are those of `ctr run`.
bed_run() {
  local id=$1
  shift
  timeout 60 ctr run --detach --null-io "$@" "$bed_image" "$id" sleep 100000
}

# bed_remove ID… ends containers and removes them.
bed_remove() {
  local id
  for id in "$@"; do
    timeout 60 ctr tasks rm --force "$id" && timeout 60 ctr containers rm "$id" || return
  done
}

# bed_any TYPE JSON prints an Any of a type of the OCI runtime specification.
bed_any() {
  printf '{"@type": "types.containerd.io/opencontainers/runtime-spec/1/%s", "@value": "%s"}' \
    "$1" "$(base64 -w 0 <<<"$2")"
}

# bed_schemas makes $bed_files/task.proto, for version 2 of the Task service, and task3.proto.
bed_schemas() {
  local here
  here=$(dirname "${BASH_SOURCE[0]}")
  cp "$here/task.proto" "$bed_files/task.proto"
  sed 's/\bv2\b/v3/' "$here/task.proto" >"$bed_files/task3.proto"
}
