# SPDX-License-Identifier: Apache-2.0
#
# Completion of `ttrpc` in fish: commands, options and files.
complete -c ttrpc -f
complete -c ttrpc -n __fish_use_subcommand -a call -d 'Call a method'
complete -c ttrpc -n __fish_use_subcommand -a list -d 'List services, or the methods of a service'
complete -c ttrpc -n __fish_use_subcommand -a describe -d 'Print definitions from the schema'
complete -c ttrpc -n __fish_use_subcommand -l version -d 'Print the version and exit'
complete -c ttrpc -s h -l help -d 'Print the options and exit'

set -l any '__fish_seen_subcommand_from call list describe'
complete -c ttrpc -n $any -l proto -r -F -d 'Read this .proto file'
complete -c ttrpc -n $any -s I -l import-path -x -a '(__fish_complete_directories)' -d 'Search .proto files in this directory'
complete -c ttrpc -n $any -l descriptor-set -r -F -d 'Read this descriptor set'

set -l call '__fish_seen_subcommand_from call'
complete -c ttrpc -n $call -a 'unix:// unix-abstract: vsock: hvsock://' -d Address
complete -c ttrpc -n $call -s d -l data -x -d 'The request: JSON, @FILE, or -'
complete -c ttrpc -n $call -l raw -d 'Send and print bytes, without a schema'
complete -c ttrpc -n $call -l stream -x -a 'client server both' -d 'With --raw: the side that streams'
complete -c ttrpc -n $call -l metadata -x -d 'Metadata of the call: KEY=VALUE'
complete -c ttrpc -n $call -l timeout -x -d 'Time limit of the call'
complete -c ttrpc -n $call -l connect-timeout -x -d 'Time limit for connecting'
complete -c ttrpc -n $call -l max-message-size -x -d 'Size limit of messages'
complete -c ttrpc -n $call -l allow-unknown-fields -d 'Ignore fields that the schema does not have'
complete -c ttrpc -n $call -l json -d 'Print a status other than OK as JSON'
complete -c ttrpc -n $call -l proto-names -d 'Print fields as field_names'
complete -c ttrpc -n $call -l defaults -d 'Also print fields with default values'
complete -c ttrpc -n $call -l compact -d 'Print each reply on one line'
