// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/status"

	"interop/echo"
)

const (
	messageMax = 4 << 20
	oversized  = "RESOURCE_EXHAUSTED message length 4194305 exceed maximum message size of 4194304, open"
	// The deadline is short, to save time. No check measures how long it took.
	shortDeadline = 200 * time.Millisecond
)

func unaryChecks() []check {
	interceptor := ttrpc.WithUnaryClientInterceptor(onlyOnWire)
	return []check{
		{"echo-empty", okay, with(echoOf(0))},
		{"echo-1", okay, with(echoOf(1))},
		{"echo-64k", okay, with(echoOf(64 << 10))},
		{"echo-4m", okay, with(echoOf(payloadFor(messageMax)))},
		{"nothing", okay, with(nothing)},
		{"oversized-call", oversizedCallWant, with(oversizedCall)},
		{"oversized-raw", oversized, oversizedRaw},
		{"oversized-reply", "RESOURCE_EXHAUSTED, open", inChild("oversized-reply-child")},
		{"unknown-service", "UNIMPLEMENTED service interop.v1.Missing", with(unknownService)},
		{"unknown-method", "UNIMPLEMENTED method Missing", with(unknownMethod)},
		{"status", okay, with(statuses)},
		{"metadata", okay, with(metadata)},
		{"metadata-reserved", "dropped", with(metadataReserved)},
		{"deadline", "DEADLINE_EXCEEDED, open", with(deadline)},
		{"deadline-wire", "DEADLINE_EXCEEDED, open", with(deadlineWire, interceptor)},
		{"cancel", okay, cancel},
		{"concurrent", okay, with(concurrent)},
	}
}

func pattern(n int, seed byte) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7) + seed
	}
	return p
}

// payloadFor finds the payload whose request envelope has exactly this many bytes.
func payloadFor(envelope int) int {
	n := envelope - 64
	for {
		payload, err := marshal(&echo.EchoRequest{Payload: make([]byte, n)})
		if err != nil {
			fatal(err)
		}
		size := requestSize(&ttrpc.Request{Service: "interop.v1.Echo", Method: "Echo", Payload: payload})
		if size == envelope {
			return n
		}
		n += envelope - size
	}
}

func echoOf(n int) clientCheck {
	return func(client *ttrpc.Client) (string, error) {
		payload := pattern(n, 1)
		reply, err := echo.NewEchoClient(client).Echo(background, &echo.EchoRequest{Payload: payload})
		if err != nil {
			return code(err), nil
		}
		if !bytes.Equal(reply.Payload, payload) {
			return "", fmt.Errorf("%d bytes came back, and not those that were sent", len(reply.Payload))
		}
		return okay, nil
	}
}

func nothing(client *ttrpc.Client) (string, error) {
	_, err := echo.NewEchoClient(client).Nothing(background, &echo.Empty{})
	return code(err), nil
}

func oversizedCall(client *ttrpc.Client) (string, error) {
	payload := make([]byte, payloadFor(messageMax)+1)
	_, err := echo.NewEchoClient(client).Echo(background, &echo.EchoRequest{Payload: payload})
	if refusedByLibrary(err) {
		return open("refused by the library", client)
	}
	return open(codeAndText(err), client)
}

// inChild runs a check in a new process: ttrpc 1.1.2 panics when a reply is too long.
func inChild(name string) func(string) (string, error) {
	return func(path string) (string, error) {
		if os.Getenv("INTEROP_CHILD") == name {
			return with(oversizedReply)(path)
		}
		child := exec.Command(os.Args[0], "client", "--socket", "unix://"+path, "--suite", "oversized-reply",
			"--expect", "oversized-reply=printed")
		child.Env = append(os.Environ(), "INTEROP_CHILD="+name)
		out, err := child.CombinedOutput()
		if strings.Contains(string(out), "panic: ") {
			return "panic", nil
		}
		// The child's own verdict does not matter, only the outcome that it quotes.
		if parts := strings.SplitN(string(out), "\"", 3); len(parts) == 3 {
			return parts[1], nil
		}
		return "", fmt.Errorf("%v: %s", err, out)
	}
}

func oversizedReply(client *ttrpc.Client) (string, error) {
	_, err := echo.NewEchoClient(client).Blob(background, &echo.BlobRequest{Length: messageMax})
	return open(code(err), client)
}

func unknownService(client *ttrpc.Client) (string, error) {
	err := client.Call(background, "interop.v1.Missing", "Echo", &echo.Empty{}, &echo.Empty{})
	return codeAndText(err), nil
}

func unknownMethod(client *ttrpc.Client) (string, error) {
	err := client.Call(background, "interop.v1.Echo", "Missing", &echo.Empty{}, &echo.Empty{})
	return codeAndText(err), nil
}

func statuses(client *ttrpc.Client) (string, error) {
	for number := int32(1); number <= 16; number++ {
		request := &echo.FailRequest{Code: number, Detail: "dëtail"}
		request.Message = fmt.Sprintf("wörds of %d", number)
		_, err := echo.NewEchoClient(client).Fail(background, request)
		st, ok := status.FromError(err)
		if err == nil || !ok {
			return "", fmt.Errorf("code %d came as %v", number, err)
		}
		got := st.Proto()
		if got.Code != number || got.Message != request.Message {
			return "", fmt.Errorf("code %d came as %v", number, got)
		}
		want, err := marshal(&echo.EchoReply{Text: request.Detail})
		if err != nil {
			return "", err
		}
		if len(got.Details) != 1 || got.Details[0].TypeUrl != detailType ||
			!bytes.Equal(got.Details[0].Value, want) {
			return "", fmt.Errorf("details of code %d came as %v", number, got.Details)
		}
	}
	return okay, nil
}

func pairsSeen(client *ttrpc.Client, md ttrpc.MD, prefix string) (string, error) {
	ctx := ttrpc.WithMetadata(background, md)
	reply, err := echo.NewEchoClient(client).Metadata(ctx, &echo.Empty{})
	if err != nil {
		return "", err
	}
	var seen []string
	for _, pair := range reply.Pairs {
		if strings.HasPrefix(pair.Key, prefix) {
			seen = append(seen, pair.Key+"="+pair.Value)
		}
	}
	return strings.Join(seen, " "), nil
}

func metadata(client *ttrpc.Client) (string, error) {
	md := ttrpc.MD{"interop-one": {"1", "zwölf", ""}, "interop-two": {"2"}}
	seen, err := pairsSeen(client, md, "interop-")
	if err != nil {
		return "", err
	}
	if want := "interop-one=1 interop-one=zwölf interop-one= interop-two=2"; seen != want {
		return "", fmt.Errorf("%q, expected %q", seen, want)
	}
	return okay, nil
}

// The prefix belongs to the proxy, in upper and lower case. A client's entries with it never reach
// a server.
func metadataReserved(client *ttrpc.Client) (string, error) {
	md := ttrpc.MD{"ttrpc-proxy-uid": {"forged"}, "TTRPC-Proxy-Gid": {"forged"}}
	seen, err := pairsSeen(client, md, "")
	if err != nil {
		return "", err
	}
	if strings.Contains(seen, "forged") {
		return "passed", nil
	}
	return "dropped", nil
}

func uniqueKey(name string) string {
	return fmt.Sprintf("%s-%d-%d", name, os.Getpid(), time.Now().UnixNano())
}

// sleepUntilDeadline also checks that the server's side of the call has ended.
func sleepUntilDeadline(ctx context.Context, client *ttrpc.Client, key string) (string, error) {
	_, err := echo.NewEchoClient(client).Sleep(ctx, &echo.WaitRequest{Key: key})
	outcome, openErr := open(code(err), client)
	if openErr != nil || outcome == "closed" {
		return outcome, openErr
	}
	_, err = echo.NewEchoClient(client).Ended(background, &echo.WaitRequest{Key: key})
	if err != nil {
		return "", fmt.Errorf("waiting for the end at the server: %w", err)
	}
	return outcome, nil
}

func deadline(client *ttrpc.Client) (string, error) {
	ctx, stop := context.WithTimeout(background, shortDeadline)
	defer stop()
	return sleepUntilDeadline(ctx, client, uniqueKey("deadline"))
}

type wireDeadline struct{}

// onlyOnWire sends a timeout that the client itself does not enforce, so that the answer comes from
// the other side.
func onlyOnWire(ctx context.Context, req *ttrpc.Request, resp *ttrpc.Response,
	_ *ttrpc.UnaryClientInfo, call ttrpc.Invoker) error {
	if timeout, ok := ctx.Value(wireDeadline{}).(time.Duration); ok {
		req.TimeoutNano = int64(timeout)
	}
	return call(ctx, req, resp)
}

func deadlineWire(client *ttrpc.Client) (string, error) {
	ctx := context.WithValue(background, wireDeadline{}, shortDeadline)
	return sleepUntilDeadline(ctx, client, uniqueKey("deadline-wire"))
}

// cancel closes its connection, which is the protocol's only way to cancel a call. The close must
// reach the server.
func cancel(path string) (string, error) {
	key := uniqueKey("cancel")
	watcher, err := dial(path)
	if err != nil {
		return "", err
	}
	defer watcher.Close()
	sleeper, err := dial(path)
	if err != nil {
		return "", err
	}
	done := make(chan error, 1)
	go func() {
		_, err := echo.NewEchoClient(sleeper).Sleep(background, &echo.WaitRequest{Key: key})
		done <- err
	}()
	_, err = echo.NewEchoClient(watcher).Began(background, &echo.WaitRequest{Key: key})
	if err != nil {
		return "", err
	}
	sleeper.Close()
	if err := <-done; !errors.Is(err, ttrpc.ErrClosed) && !errors.Is(err, context.Canceled) {
		return "", fmt.Errorf("the call on the closed connection ended with %v", err)
	}
	_, err = echo.NewEchoClient(watcher).Ended(background, &echo.WaitRequest{Key: key})
	return code(err), nil
}

func concurrent(client *ttrpc.Client) (string, error) {
	const callers, calls = 32, 50
	var group sync.WaitGroup
	errs := make(chan error, callers)
	for caller := 0; caller < callers; caller++ {
		group.Add(1)
		go func(caller int) {
			defer group.Done()
			for call := 0; call < calls; call++ {
				request := &echo.EchoRequest{
					Text:    fmt.Sprintf("caller %d call %d", caller, call),
					Payload: pattern(caller*call, byte(caller)),
				}
				reply, err := echo.NewEchoClient(client).Echo(background, request)
				same := err == nil && reply.Text == request.Text &&
					bytes.Equal(reply.Payload, request.Payload)
				if err == nil && !same {
					err = fmt.Errorf("%s got the reply of %q", request.Text, reply.Text)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		}(caller)
	}
	group.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return "", err
	}
	return okay, nil
}
