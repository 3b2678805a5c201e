# SPDX-License-Identifier: Apache-2.0
#
# This file compares versions of the tools that a test needs. It is to be sourced.
# shellcheck shell=bash

# at_least WANTED HAVE
at_least() { [[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

# go_version prints the version of Go that the environment selects, such as 1.21.3.
go_version() { go env GOVERSION | sed 's/^go//; s/[^0-9.].*//'; }
