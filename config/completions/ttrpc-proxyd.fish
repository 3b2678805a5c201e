# SPDX-License-Identifier: Apache-2.0
#
# Completion of `ttrpc-proxyd` in fish: options, levels and files.
complete -c ttrpc-proxyd -f
complete -c ttrpc-proxyd -l config -r -F -d 'Use this configuration file'
complete -c ttrpc-proxyd -l check -d 'Read the configuration, print errors and warnings, and exit'
complete -c ttrpc-proxyd -l print-config -d 'Print the effective configuration as TOML, and exit'
complete -c ttrpc-proxyd -l log-level -x -a 'trace debug info warn error' -d 'Override the log level of the configuration'
complete -c ttrpc-proxyd -l version -d 'Print the version and exit'
complete -c ttrpc-proxyd -s h -l help -d 'Print the options and exit'
