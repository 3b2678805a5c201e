# SPDX-License-Identifier: Apache-2.0
#
# Completion of `ttrpc-proxyctl` in fish: commands, options, and their values.

# Prints names that the running daemon knows; nothing if no daemon replies.
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
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a status -d 'Show the state of the daemon'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a peers -d 'List the connected peers'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a calls -d 'List the calls in flight'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a rules -d 'List the rules and how many calls each decided'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a users -d 'List the connected users and what they use'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a backends -d 'List the backends and whether they are up'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a workloads -d 'List the workloads that were discovered, and their sockets'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a metrics -d 'Print the metrics in the Prometheus text format'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a reload -d 'Reload the configuration and report the result'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a drain -d 'Let the calls in flight finish, then stop the daemon'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a log-level -d 'Change the log level of the running daemon'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a close -d 'Close peers at once, with their calls'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a explain -d 'Show whether a call would be allowed, by which rule and why'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a tap -d 'Show connections, calls and denials as they happen'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a learn -d 'Print rules that allow exactly the calls seen'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a names -d 'Print the names of listeners, rules or backends'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -a method-sets -d 'Print the built-in sets of methods'
complete -c ttrpc-proxyctl -n __fish_use_subcommand -l version -d 'Print the version and exit'
complete -c ttrpc-proxyctl -s h -l help -d 'Print the options and exit'
complete -c ttrpc-proxyctl -l address -x -a 'unix:// unix-abstract:' -d 'The socket of the admin service'
complete -c ttrpc-proxyctl -l timeout -x -d 'Time limit for connecting and for each reply'
complete -c ttrpc-proxyctl -l json -d 'Print JSON instead of text'

complete -c ttrpc-proxyctl -n '__fish_seen_subcommand_from status peers calls rules users backends workloads' -l watch -d 'Refresh until interrupted'
complete -c ttrpc-proxyctl -n '__fish_seen_subcommand_from peers calls' -l limit -x -d 'List only the N oldest'
complete -c ttrpc-proxyctl -n '__fish_seen_subcommand_from workloads' -l listener -x -a '(__ttrpc_proxyctl_names listeners)' -d 'List only the workloads of this listener'
complete -c ttrpc-proxyctl -n '__fish_seen_subcommand_from reload' -l pid -x -a '(__fish_complete_pids)' -d 'Reload this process'
complete -c ttrpc-proxyctl -n '__fish_seen_subcommand_from names' -a 'listeners rules backends'
complete -c ttrpc-proxyctl -n '__fish_seen_subcommand_from method-sets' -a "(ttrpc-proxyctl method-sets 2>/dev/null | string replace -rf ' = \\[\$' '')"
complete -c ttrpc-proxyctl -n '__fish_seen_subcommand_from log-level' -a 'trace debug info warn error'
complete -c ttrpc-proxyctl -n '__fish_seen_subcommand_from close' -l listener -x -a '(__ttrpc_proxyctl_names listeners)' -d 'Close all peers of this listener'

set -l explain '__fish_seen_subcommand_from explain'
complete -c ttrpc-proxyctl -n $explain -l listener -x -a '(__ttrpc_proxyctl_names listeners)' -d 'The listener that gets the call'
complete -c ttrpc-proxyctl -n $explain -l user -x -a '(__fish_complete_users)' -d 'The caller'
complete -c ttrpc-proxyctl -n $explain -l group -x -a '(__fish_complete_groups)' -d 'The effective group of the caller'
complete -c ttrpc-proxyctl -n $explain -l groups -x -a '(__fish_complete_groups)' -d 'The supplementary groups of the caller'
complete -c ttrpc-proxyctl -n $explain -l method -x -d 'The method: /SERVICE/METHOD'
complete -c ttrpc-proxyctl -n $explain -l metadata -x -d 'Metadata of the call: KEY=VALUE'
complete -c ttrpc-proxyctl -n $explain -l namespace -x -d 'The namespace of the workload'
complete -c ttrpc-proxyctl -n $explain -l id -x -d 'The id or name of the workload'
complete -c ttrpc-proxyctl -n $explain -l annotation -x -d 'Annotation of the workload: KEY=VALUE'
complete -c ttrpc-proxyctl -n $explain -l config -r -F -d 'Use this configuration instead of a daemon'
complete -c ttrpc-proxyctl -n $explain -l expect -x -a 'allow deny' -d 'Exit with status 2 if the decision differs'

set -l tap '__fish_seen_subcommand_from tap'
complete -c ttrpc-proxyctl -n $tap -l user -x -a '(__fish_complete_users)' -d 'Only events of this user'
complete -c ttrpc-proxyctl -n $tap -l listener -x -a '(__ttrpc_proxyctl_names listeners)' -d 'Only events on this listener'
complete -c ttrpc-proxyctl -n $tap -l rule -x -a '(__ttrpc_proxyctl_names rules)' -d 'Only calls that this rule decided'
complete -c ttrpc-proxyctl -n $tap -l backend -x -a '(__ttrpc_proxyctl_names backends)' -d 'Only calls to this backend'
complete -c ttrpc-proxyctl -n $tap -l method -x -d 'Only methods that match this pattern'
complete -c ttrpc-proxyctl -n $tap -l outcome -x -a 'OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED' -d 'Only events with this status'
complete -c ttrpc-proxyctl -n $tap -l event -x -a 'connect refuse call deny disconnect message' -d 'Only events of this kind'
complete -c ttrpc-proxyctl -n $tap -l payload -d 'Also show messages'
complete -c ttrpc-proxyctl -n $tap -l descriptor-set -r -F -d 'Decode messages by this descriptor set'
complete -c ttrpc-proxyctl -n $tap -l count -x -d 'Exit after N events'

set -l learn '__fish_seen_subcommand_from learn'
complete -c ttrpc-proxyctl -n $learn -l audit -r -F -d 'Read this audit file'
complete -c ttrpc-proxyctl -n $learn -l tap -d 'Tap the daemon'
complete -c ttrpc-proxyctl -n $learn -l include-denied -d 'Also allow calls seen denied'
complete -c ttrpc-proxyctl -n $learn -l backend -x -a '(__ttrpc_proxyctl_names backends)' -d 'The backend for denied calls'
complete -c ttrpc-proxyctl -n $learn -l config -r -F -d 'The configuration that the rules are for'
