// SPDX-License-Identifier: Apache-2.0

// This is a real Go ttrpc peer. The same sources build with ttrpc 1.2 (with streams) and 1.1 (unary
// only); ttrpc12 and ttrpc11 contain the differences.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

type expectations map[string]string

func (e expectations) String() string { return "" }

func (e expectations) Set(value string) error {
	name, outcome, found := strings.Cut(value, "=")
	if !found {
		return fmt.Errorf("expected CHECK=OUTCOME, got %q", value)
	}
	e[name] = outcome
	return nil
}

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	socket := flags.String("socket", "", "address, unix:///abs/path")
	path := func() string {
		p := strings.TrimPrefix(*socket, "unix://")
		if p == *socket || p == "" {
			usage()
		}
		return p
	}
	switch os.Args[1] {
	case "server":
		flags.Parse(os.Args[2:])
		serve(path())
	case "client", "list":
		expect := expectations{}
		suite := flags.String("suite", "all", "unary, streams, all or the name of one check")
		flags.Var(expect, "expect", "CHECK=OUTCOME, where it is another than usual")
		flags.Parse(os.Args[2:])
		if os.Args[1] == "list" {
			listSuite(*suite)
			return
		}
		os.Exit(runSuite(path(), *suite, expect))
	default:
		usage()
	}
}

func usage() {
	fmt.Fprintf(os.Stderr, "usage: %s server|client|list --socket unix:///abs/path [--suite SUITE] "+
		"[--expect CHECK=OUTCOME]...\n", os.Args[0])
	os.Exit(64)
}
