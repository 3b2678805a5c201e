# SPDX-License-Identifier: Apache-2.0
#
# What fish offers after `ttrpc-proxyctl`: commands, their options, and what these take.

# Names that the running daemon has; none where no daemon answers.
function __ttrpc_proxyctl_names --argument-names kind
    set -l words (commandline -opc)
    set -l address
    for i in (seq (count $words))
        switch $words[$i]
            case --address
                set address --address=$words[(math $i + 1)]
            case '--address=*'
                set address $words[$i]
        end
    end
    ttrpc-proxyctl $address --timeout=1s names $kind 2>/dev/null
end

complete -c ttrpc-proxyctl -f
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a status -d 'Show how the daemon is'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a peers -d 'List the connected peers'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a calls -d 'List the calls in flight'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a rules -d 'List the rules'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a users -d 'List the connected users'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a backends -d 'List the backends'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a metrics -d 'Print the metrics as Prometheus reads them'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a reload -d 'Let the daemon read its configuration again'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a drain -d 'Let the daemon end after the calls in flight'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a log-level -d 'Change how much the daemon logs'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a close -d 'Close peers at once'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a explain -d 'Say which rule decides a call, and why'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a tap -d 'Show what happens, as it does'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a learn -d 'Print rules that allow what was seen'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a names -d 'Print the names of listeners, rules or backends'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -l version -d 'Print the version, exit'
complete -c ttrpc-proxyctl -s h -l help -d 'Print the options, exit'
complete -c ttrpc-proxyctl -l address -x -a 'unix:// unix-abstract:' -d 'Socket of the admin service'
complete -c ttrpc-proxyctl -l timeout -x -d 'How long the daemon may take to answer'
complete -c ttrpc-proxyctl -l json -d 'Print JSON, not text for people'

complete -c ttrpc-proxyctl -n '__fish_seen_subcommand_from status peers calls rules users backends' -l watch -d 'Look again and again'
complete -c ttrpc-proxyctl -n '__fish_seen_subcommand_from peers calls' -l limit -x -d 'Show at most so many'
complete -c ttrpc-proxyctl -n '__fish_seen_subcommand_from reload' -l pid -x -a '(__fish_complete_pids)' -d 'This process'
complete -c ttrpc-proxyctl -n '__fish_seen_subcommand_from names' -a 'listeners rules backends'
complete -c ttrpc-proxyctl -n '__fish_seen_subcommand_from log-level' -a 'trace debug info warn error'
complete -c ttrpc-proxyctl -n '__fish_seen_subcommand_from close' -l listener -x -a '(__ttrpc_proxyctl_names listeners)' -d 'All peers of this listener'

set -l explain '__fish_seen_subcommand_from explain'
complete -c ttrpc-proxyctl -n $explain -l listener -x -a '(__ttrpc_proxyctl_names listeners)' -d 'Where the call comes in'
complete -c ttrpc-proxyctl -n $explain -l user -x -a '(__fish_complete_users)' -d 'Who calls'
complete -c ttrpc-proxyctl -n $explain -l group -x -a '(__fish_complete_groups)' -d 'The effective group'
complete -c ttrpc-proxyctl -n $explain -l groups -x -a '(__fish_complete_groups)' -d 'Supplementary groups'
complete -c ttrpc-proxyctl -n $explain -l method -x -d '/SERVICE/METHOD'
complete -c ttrpc-proxyctl -n $explain -l metadata -x -d 'KEY=VALUE, of the call'
complete -c ttrpc-proxyctl -n $explain -l config -r -F -d 'Ask this configuration, and no daemon'
complete -c ttrpc-proxyctl -n $explain -l expect -x -a 'allow deny' -d 'Exit with 2 if the decision is the other one'

set -l tap '__fish_seen_subcommand_from tap'
complete -c ttrpc-proxyctl -n $tap -l user -x -a '(__fish_complete_users)' -d 'Only of this user'
complete -c ttrpc-proxyctl -n $tap -l listener -x -a '(__ttrpc_proxyctl_names listeners)' -d 'Only on this listener'
complete -c ttrpc-proxyctl -n $tap -l rule -x -a '(__ttrpc_proxyctl_names rules)' -d 'Only what this rule decides'
complete -c ttrpc-proxyctl -n $tap -l backend -x -a '(__ttrpc_proxyctl_names backends)' -d 'Only what goes to this backend'
complete -c ttrpc-proxyctl -n $tap -l method -x -d 'Only methods of this pattern'
complete -c ttrpc-proxyctl -n $tap -l outcome -x -a 'OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED' -d 'Only what ends with this status'
complete -c ttrpc-proxyctl -n $tap -l event -x -a 'connect refuse call deny disconnect message' -d 'Only this event'
complete -c ttrpc-proxyctl -n $tap -l payload -d 'Messages, too'
complete -c ttrpc-proxyctl -n $tap -l descriptor-set -r -F -d 'Show messages by this descriptor set'
complete -c ttrpc-proxyctl -n $tap -l count -x -d 'End after so many events'

set -l learn '__fish_seen_subcommand_from learn'
complete -c ttrpc-proxyctl -n $learn -l audit -r -F -d 'Read this audit file'
complete -c ttrpc-proxyctl -n $learn -l tap -d 'Look at what the daemon does'
complete -c ttrpc-proxyctl -n $learn -l include-denied -d 'Allow, too, what was denied'
complete -c ttrpc-proxyctl -n $learn -l backend -x -a '(__ttrpc_proxyctl_names backends)' -d 'Where what was denied is to go'
complete -c ttrpc-proxyctl -n $learn -l config -r -F -d 'The configuration that the rules are for'
