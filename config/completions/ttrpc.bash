# SPDX-License-Identifier: Apache-2.0
#
# Completion of `ttrpc` in bash: commands, options, files and sockets. Once the line names a schema,
# also its services and methods. It needs no other package.

# _ttrpc_schema WORD…: prints the schema options among the words and their values, one per line.
_ttrpc_schema() {
  while [[ $# -gt 1 ]]; do
    case $1 in --proto | -I | --import-path | --descriptor-set) printf '%s\n' "$1" "$2" ;; esac
    shift
  done
}

# _ttrpc_names WHAT WORD…: prints the services, or methods as SERVICE/METHOD, of the schema that the
# words name. A schema on standard input has no names, because reading the terminal would block.
_ttrpc_names() {
  local what=$1 service schema
  shift
  mapfile -t schema < <(_ttrpc_schema "$@")
  [[ ${#schema[@]} -gt 0 ]] || return 0
  if [[ $what == services ]]; then
    ttrpc list "${schema[@]}" 2>/dev/null </dev/null
  else
    ttrpc list "${schema[@]}" 2>/dev/null </dev/null | while read -r service; do
      ttrpc list "$service" "${schema[@]}" 2>/dev/null </dev/null | cut -d ' ' -f 1
    done
  fi
}

# _ttrpc_positionals: counts the words before the current one that are neither options nor their
# values. Bash splits `unix:///run/x.sock` at the colon; the address counts once.
_ttrpc_positionals() {
  local i word count=0 glued=false
  for ((i = 2; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      -d | --data | --proto | -I | --import-path | --descriptor-set | --stream | --metadata | \
        --timeout | --connect-timeout | --max-message-size) ((i++)) ;;
      -*) ;;
      :) glued=true ;;
      *)
        if ! $glued; then ((count++)); fi
        glued=false
        ;;
    esac
  done
  echo "$count"
}

_ttrpc() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words=
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    mapfile -t COMPREPLY < <(compgen -W "call list describe --version --help" -- "$current")
    return
  fi
  case $previous in
    --proto | --descriptor-set)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    -I | --import-path)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      return
      ;;
    --stream) words="client server both" ;;
    -d | --data | --metadata | --timeout | --connect-timeout | --max-message-size) return ;;
    :)
      # Bash replaces only the text after the colon of the scheme.
      compopt -o nospace
      if [[ ${COMP_WORDS[COMP_CWORD - 2]} == *unix ]]; then
        mapfile -t COMPREPLY < <(compgen -f -P // -- "${current#//}")
      fi
      return
      ;;
  esac
  if [[ -z $words && $current == -* ]]; then
    words="--proto -I --import-path --descriptor-set --help"
    if [[ ${COMP_WORDS[1]} == call ]]; then
      words+=" -d --data --raw --stream --metadata --timeout --connect-timeout --max-message-size
        --allow-unknown-fields --json --proto-names --defaults --compact"
    fi
  elif [[ -z $words ]]; then
    case ${COMP_WORDS[1]}:$(_ttrpc_positionals) in
      call:0)
        compopt -o nospace
        words="unix: unix-abstract: vsock: hvsock:"
        ;;
      call:1) words=$(_ttrpc_names methods "${COMP_WORDS[@]:2}") ;;
      list:0 | describe:0) words=$(_ttrpc_names services "${COMP_WORDS[@]:2}") ;;
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _ttrpc ttrpc
