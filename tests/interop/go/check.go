// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"interop/echo"
)

// A check connects on its own and returns its outcome in a word or a few. `want` is the outcome
// that a client sees through the proxy. --expect names another one for pairs that differ.
type check struct {
	name string
	want string
	run  func(path string) (string, error)
}

const okay = "ok"

// Calls have no deadline unless a check is about one; run.sh limits the time of the whole process.
var background = context.Background()

func chosen(suite string) []check {
	var kept []check
	for _, part := range []struct {
		name   string
		checks []check
	}{{"unary", unaryChecks()}, {"streams", streamChecks()}} {
		for _, c := range part.checks {
			if suite == "all" || suite == part.name || suite == c.name {
				kept = append(kept, c)
			}
		}
	}
	return kept
}

func listSuite(suite string) {
	for _, c := range chosen(suite) {
		fmt.Println(c.name)
	}
}

func runSuite(path, suite string, expect expectations) int {
	checks := chosen(suite)
	if len(checks) == 0 {
		fmt.Printf("no check is called %s\n", suite)
		return 64
	}
	fmt.Printf("plan %d\n", len(checks))
	failed := 0
	for _, c := range checks {
		if want, ok := expect[c.name]; ok {
			c.want = want
		}
		got, err := c.run(path)
		switch {
		case err != nil:
			fmt.Printf("FAIL %s: %v\n", c.name, err)
			failed = 1
		case !oneOf(c.want, got):
			fmt.Printf("FAIL %s: %q, expected %q\n", c.name, got, c.want)
			failed = 1
		default:
			fmt.Printf("ok %s\n", c.name)
		}
	}
	return failed
}

// oneOf accepts `A|B` if either outcome is possible: upstream has races.
func oneOf(want, got string) bool {
	for _, alternative := range strings.Split(want, "|") {
		if got == alternative {
			return true
		}
	}
	return false
}

func dial(path string, opts ...ttrpc.ClientOpts) (*ttrpc.Client, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	return ttrpc.NewClient(conn, opts...), nil
}

type clientCheck func(*ttrpc.Client) (string, error)

// with(run) makes a check that needs one connection.
func with(run clientCheck, opts ...ttrpc.ClientOpts) func(string) (string, error) {
	return func(path string) (string, error) {
		client, err := dial(path, opts...)
		if err != nil {
			return "", err
		}
		defer client.Close()
		return run(client)
	}
}

var codeNames = map[codes.Code]string{
	codes.InvalidArgument:   "INVALID_ARGUMENT",
	codes.DeadlineExceeded:  "DEADLINE_EXCEEDED",
	codes.ResourceExhausted: "RESOURCE_EXHAUSTED",
	codes.Unimplemented:     "UNIMPLEMENTED",
	codes.PermissionDenied:  "PERMISSION_DENIED",
	codes.Unavailable:       "UNAVAILABLE",
	codes.Internal:          "INTERNAL",
}

// code names the end of a call: the code of a status, or `closed` for a lost connection.
func code(err error) string {
	if err == nil {
		return okay
	}
	if errors.Is(err, ttrpc.ErrClosed) {
		return "closed"
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return codeNames[codes.DeadlineExceeded]
	}
	if st, ok := status.FromError(err); ok {
		if name, ok := codeNames[st.Code()]; ok {
			return name
		}
		return st.Code().String()
	}
	return err.Error()
}

func codeAndText(err error) string {
	if st, ok := status.FromError(err); ok && err != nil {
		return code(err) + " " + st.Message()
	}
	return code(err)
}

// open adds to an outcome whether the connection still carries a call.
func open(outcome string, client *ttrpc.Client) (string, error) {
	if outcome == "closed" {
		return outcome, nil
	}
	reply, err := echo.NewEchoClient(client).Echo(background, &echo.EchoRequest{Text: "still there"})
	if err != nil {
		return outcome + ", then " + code(err), nil
	}
	if reply.Text != "still there" {
		return "", fmt.Errorf("a later echo brought %q", reply.Text)
	}
	return outcome + ", open", nil
}
