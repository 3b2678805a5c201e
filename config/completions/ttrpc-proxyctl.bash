# SPDX-License-Identifier: Apache-2.0
#
# Completion of `ttrpc-proxyctl` in bash: commands, options, and their values, such as files, users,
# and names that the running daemon knows. It needs no other package.

# _ttrpc_proxyctl_command: prints the command on the line, if there is one.
_ttrpc_proxyctl_command() {
  local i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      status | peers | calls | rules | users | backends | workloads | metrics | reload | drain | \
        log-level | close | explain | tap | learn | names | method-sets)
        # The word after an option is its value.
        case ${COMP_WORDS[i - 1]} in
          --address | --timeout) ;;
          *) echo "${COMP_WORDS[i]}" && return ;;
        esac
        ;;
    esac
  done
}

# _ttrpc_proxyctl_options COMMAND: prints the options of a command; without one, the common options.
_ttrpc_proxyctl_options() {
  echo "--address --timeout --json --help"
  case $1 in
    '') echo "--version" ;;
    status | rules | users | backends) echo "--watch" ;;
    peers | calls) echo "--limit --watch" ;;
    workloads) echo "--listener --watch" ;;
    reload) echo "--pid" ;;
    close) echo "--listener" ;;
    explain)
      echo "--listener --user --group --groups --method --metadata --namespace --id --annotation
        --config --expect"
      ;;
    tap)
      echo "--user --listener --rule --backend --method --outcome --event --payload --descriptor-set
        --count"
      ;;
    learn) echo "--audit --tap --include-denied --backend --config" ;;
  esac
}

# _ttrpc_proxyctl_names KIND TYPED: adds the daemon's names that begin with TYPED to COMPREPLY. Names
# can contain blanks. Nothing is added if no daemon replies.
_ttrpc_proxyctl_names() {
  local name typed=$2 quoted=false address=()
  if [[ $COMP_LINE =~ --address[=\ ]+([^\ ]+) ]]; then address=(--address "${BASH_REMATCH[1]}"); fi
  case $typed in
    [\"\']*) typed=${typed:1} quoted=true ;;
    *) typed=${typed//\\/} ;;
  esac
  while IFS= read -r name; do
    [[ $name == "$typed"* ]] || continue
    if ! $quoted; then printf -v name %q "$name"; fi
    COMPREPLY+=("$name")
  done < <(ttrpc-proxyctl "${address[@]}" --timeout 1s names "$1" 2>/dev/null)
}

_ttrpc_proxyctl() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command words=
  # Bash splits `--option=value` into three words.
  if [[ $current == = ]]; then
    current=
  elif [[ $previous == = ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  COMPREPLY=()
  command=$(_ttrpc_proxyctl_command)
  case $previous in
    --config | --audit | --descriptor-set)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --user)
      mapfile -t COMPREPLY < <(compgen -u -- "$current")
      return
      ;;
    --group | --groups)
      mapfile -t COMPREPLY < <(compgen -g -- "$current")
      return
      ;;
    --address)
      compopt -o nospace
      words="unix: unix-abstract:"
      ;;
    :)
      # Bash replaces only the text after the colon of the scheme.
      compopt -o nospace
      if [[ ${COMP_WORDS[COMP_CWORD - 2]} == *unix ]]; then
        mapfile -t COMPREPLY < <(compgen -f -P // -- "${current#//}")
      fi
      return
      ;;
    --event) words="connect refuse call deny disconnect message" ;;
    --outcome)
      words="OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS
        PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED
        INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED"
      ;;
    --listener | --rule | --backend)
      _ttrpc_proxyctl_names "${previous#--}s" "$current"
      return
      ;;
    --expect) words="allow deny" ;;
    names) if [[ $current != -* ]]; then words="listeners rules backends"; fi ;;
    method-sets)
      if [[ $current != -* ]]; then
        words=$(ttrpc-proxyctl method-sets 2>/dev/null | sed -n 's/ = \[$//p')
      fi
      ;;
    --timeout | --limit | --pid | --method | --metadata | --namespace | --id | --annotation | \
      --count)
      return
      ;;
    log-level) if [[ $current != -* ]]; then words="trace debug info warn error"; fi ;;
  esac
  if [[ -z $words && $current == -* ]]; then
    words=$(_ttrpc_proxyctl_options "$command")
  elif [[ -z $words && -z $command ]]; then
    words="status peers calls rules users backends workloads metrics reload drain log-level close
      explain tap learn names method-sets"
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _ttrpc_proxyctl ttrpc-proxyctl
