# SPDX-License-Identifier: Apache-2.0
#
# What fish offers after `ttrpc`: subcommands, their options, files.
complete -c ttrpc -f
complete -c ttrpc -n __fish_use_subcommand -a call -d 'Call a method'
complete -c ttrpc -n __fish_use_subcommand -a list -d 'List services, or the methods of one'
complete -c ttrpc -n __fish_use_subcommand -a describe -d 'Print definitions from the schema'
complete -c ttrpc -n __fish_use_subcommand -l version -d 'Print the version, exit'
complete -c ttrpc -s h -l help -d 'Print the options, exit'

set -l any '__fish_seen_subcommand_from call list describe'
complete -c ttrpc -n $any -l proto -r -F -d 'Read this .proto file'
complete -c ttrpc -n $any -s I -l import-path -x -a '(__fish_complete_directories)' -d 'Look for .proto files here'
complete -c ttrpc -n $any -l descriptor-set -r -F -d 'Read this descriptor set'

set -l call '__fish_seen_subcommand_from call'
complete -c ttrpc -n $call -a 'unix:// unix-abstract: vsock: hvsock://' -d Address
complete -c ttrpc -n $call -s d -l data -x -d 'The request: JSON, @FILE, or -'
complete -c ttrpc -n $call -l raw -d 'Bytes in and out, without any schema'
complete -c ttrpc -n $call -l stream -x -a 'client server both' -d 'With --raw: who streams'
complete -c ttrpc -n $call -l metadata -x -d 'KEY=VALUE, sent with the call'
complete -c ttrpc -n $call -l timeout -x -d 'How long the call may take'
complete -c ttrpc -n $call -l connect-timeout -x -d 'How long connecting may take'
complete -c ttrpc -n $call -l max-message-size -x -d 'Of a message sent or received'
complete -c ttrpc -n $call -l json -d 'A status other than OK is printed as JSON'
complete -c ttrpc -n $call -l proto-names -d 'Replies have field_names'
complete -c ttrpc -n $call -l defaults -d 'Replies have fields with default values, too'
complete -c ttrpc -n $call -l compact -d 'Replies are one line each'
