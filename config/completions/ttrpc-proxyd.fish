# SPDX-License-Identifier: Apache-2.0
#
# What fish offers after `ttrpc-proxyd`: its options, levels, files.
complete -c ttrpc-proxyd -f
complete -c ttrpc-proxyd -l config -r -F -d 'Read this configuration'
complete -c ttrpc-proxyd -l check -d 'Read the configuration, print errors and warnings, exit'
complete -c ttrpc-proxyd -l print-config -d 'Print the effective configuration as TOML, exit'
complete -c ttrpc-proxyd -l log-level -x -a 'trace debug info warn error' -d 'Override the level of the configuration'
complete -c ttrpc-proxyd -l version -d 'Print the version, exit'
complete -c ttrpc-proxyd -s h -l help -d 'Print the options, exit'
