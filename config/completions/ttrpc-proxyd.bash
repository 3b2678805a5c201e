# SPDX-License-Identifier: Apache-2.0
#
# Completion of `ttrpc-proxyd` in bash: options, levels and files. It needs no other package.
_ttrpc_proxyd() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  case $previous in
    --config)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W "trace debug info warn error" -- "$current") ;;
    *)
      mapfile -t COMPREPLY < <(compgen -W "--config --check --print-config --log-level --version
        --help" -- "$current")
      ;;
  esac
}
complete -F _ttrpc_proxyd ttrpc-proxyd
