// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"interop/echo"
)

// The last item of a chat carries this, which distinguishes it from an echo.
const lastWords = "last"

type streamServer struct{}

func registerStreams(server *ttrpc.Server) {
	echo.RegisterStreamsService(server, streamServer{})
}

// early returns whether an item asks the server to end its stream, and with which error.
func early(item *echo.Item) (bool, error) {
	switch {
	case item.End == 0:
		return false, nil
	case item.End < 0:
		return true, nil
	default:
		return true, status.Error(codes.Code(item.End), "ended early")
	}
}

func (streamServer) Range(_ context.Context, r *echo.RangeRequest, out echo.Streams_RangeServer) error {
	for i := uint32(0); i < r.Count; i++ {
		if err := out.Send(&echo.Item{Index: i, Payload: pattern(int(r.Length), byte(i))}); err != nil {
			return err
		}
	}
	return nil
}

func (streamServer) Sum(_ context.Context, in echo.Streams_SumServer) (*echo.SumReply, error) {
	reply := &echo.SumReply{}
	for {
		item, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return reply, nil
		}
		if err != nil {
			return nil, err
		}
		if end, err := early(item); end {
			return reply, err
		}
		reply.Count++
		reply.Total += uint64(item.Index)
	}
}

func (streamServer) Chat(_ context.Context, both echo.Streams_ChatServer) error {
	for count := uint32(0); ; count++ {
		item, err := both.Recv()
		if errors.Is(err, io.EOF) {
			return both.Send(&echo.Item{Index: count, Payload: []byte(lastWords)})
		}
		if err != nil {
			return err
		}
		if end, err := early(item); end {
			return err
		}
		if err := both.Send(item); err != nil {
			return err
		}
	}
}

func (streamServer) Nothings(_ context.Context, _ *echo.Empty, out echo.Streams_NothingsServer) error {
	for i := 0; i < 3; i++ {
		if err := out.Send(&echo.Empty{}); err != nil {
			return err
		}
	}
	return nil
}

func (streamServer) Count(_ context.Context, in echo.Streams_CountServer) (*echo.SumReply, error) {
	reply := &echo.SumReply{}
	for {
		_, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return reply, nil
		}
		if err != nil {
			return nil, err
		}
		reply.Count++
	}
}

func (streamServer) Metadata(ctx context.Context, _ *echo.Empty, out echo.Streams_MetadataServer) error {
	for _, pair := range pairsOf(ctx) {
		if err := out.Send(pair); err != nil {
			return err
		}
	}
	return nil
}

// This outcome means that the opening request of a stream was delivered as its first message.
const tooMany = "one message too many"

func streamChecks() []check {
	return []check{
		{"range-0", okay, with(rangeOf(0))},
		{"range-1", okay, with(rangeOf(1))},
		{"range-1000", okay, with(rangeOf(1000))},
		{"sum-0", okay, with(sumOf(0))},
		{"sum-1", okay, with(sumOf(1))},
		{"sum-1000", okay, with(sumOf(1000))},
		{"chat-0", okay, with(chatOf(0))},
		{"chat-1", okay, with(chatOf(1))},
		{"chat-1000", okay, with(chatOf(1000))},
		{"half-close", okay, with(halfClose)},
		{"nothings", okay, with(nothings)},
		{"count", okay, with(count)},
		{"chat-4m", okay, with(chat4m)},
		{"chat-oversized", "refused by the library, open", with(chatOversized)},
		{"range-oversized", "RESOURCE_EXHAUSTED, open", with(rangeOversized)},
		{"early-end", "end of stream, open", with(earlyEnd(-1))},
		{"early-status", "RESOURCE_EXHAUSTED, open", with(earlyEnd(int32(codes.ResourceExhausted)))},
		{"early-sum", "RESOURCE_EXHAUSTED, open", with(earlySum)},
		{"chats-at-once", okay, with(chatsAtOnce)},
		// The library does not send the metadata of the context.
		{"stream-metadata", "not sent", with(streamMetadata)},
	}
}

func sameItem(got *echo.Item, index uint32, payload []byte) error {
	if got.Index != index || !bytes.Equal(got.Payload, payload) {
		return fmt.Errorf("item %d with %d bytes came where item %d with %d bytes belongs", got.Index,
			len(got.Payload), index, len(payload))
	}
	return nil
}

// atEnd reads and expects the end of a stream.
func atEnd(recv func() (*echo.Item, error)) error {
	item, err := recv()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("%v, %v where the stream should end", item, err)
}

func rangeOf(n uint32) clientCheck {
	return func(client *ttrpc.Client) (string, error) {
		request := &echo.RangeRequest{Count: n, Length: 100}
		stream, err := echo.NewStreamsClient(client).Range(background, request)
		if err != nil {
			return "", err
		}
		for i := uint32(0); i < n; i++ {
			item, err := stream.Recv()
			if err != nil {
				return "", fmt.Errorf("item %d: %w", i, err)
			}
			if err := sameItem(item, i, pattern(100, byte(i))); err != nil {
				return "", err
			}
		}
		return okay, atEnd(stream.Recv)
	}
}

func sumOf(n uint32) clientCheck {
	return func(client *ttrpc.Client) (string, error) {
		stream, err := echo.NewStreamsClient(client).Sum(background)
		if err != nil {
			return "", err
		}
		total := uint64(0)
		for i := uint32(1); i <= n; i++ {
			total += uint64(i)
			if err := stream.Send(&echo.Item{Index: i}); err != nil {
				return "", err
			}
		}
		reply, err := stream.CloseAndRecv()
		if err != nil {
			return code(err), nil
		}
		if reply.Count == n+1 && reply.Total == total {
			return tooMany, nil
		}
		if reply.Count != n || reply.Total != total {
			return "", fmt.Errorf("the server counted %d items, sum %d", reply.Count, reply.Total)
		}
		return okay, nil
	}
}

func chatItem(i uint32) *echo.Item {
	return &echo.Item{Index: i, Payload: pattern(int(i%200), byte(i))}
}

func chat(client *ttrpc.Client, n uint32, sendAllFirst bool) (string, error) {
	stream, err := echo.NewStreamsClient(client).Chat(background)
	if err != nil {
		return "", err
	}
	sent := make(chan error, 1)
	send := func() {
		for i := uint32(1); i <= n; i++ {
			if err := stream.Send(chatItem(i)); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}
	if sendAllFirst {
		send()
	} else {
		go send()
	}
	for i := uint32(1); i <= n; i++ {
		item, err := stream.Recv()
		if err != nil {
			return "", fmt.Errorf("item %d: %w", i, err)
		}
		if item.Index == 0 {
			return tooMany, nil
		}
		if err := sameItem(item, i, chatItem(i).Payload); err != nil {
			return "", err
		}
	}
	if err := <-sent; err != nil {
		return "", err
	}
	last, err := stream.Recv()
	if err != nil {
		return "", err
	}
	if last.Index == 0 && len(last.Payload) == 0 {
		return tooMany, nil
	}
	if err := sameItem(last, n, []byte(lastWords)); err != nil {
		return "", err
	}
	return okay, atEnd(stream.Recv)
}

func chatOf(n uint32) clientCheck {
	return func(client *ttrpc.Client) (string, error) { return chat(client, n, false) }
}

// halfClose closes its side before it reads anything, and must still receive all answers.
func halfClose(client *ttrpc.Client) (string, error) { return chat(client, 20, true) }

func nothings(client *ttrpc.Client) (string, error) {
	stream, err := echo.NewStreamsClient(client).Nothings(background, &echo.Empty{})
	if err != nil {
		return "", err
	}
	for n := 0; ; n++ {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) && n == 3 {
			return okay, nil
		}
		if err != nil {
			return "", fmt.Errorf("after %d messages: %w", n, err)
		}
	}
}

func count(client *ttrpc.Client) (string, error) {
	stream, err := echo.NewStreamsClient(client).Count(background)
	if err != nil {
		return "", err
	}
	for i := 0; i < 3; i++ {
		if err := stream.Send(&echo.Empty{}); err != nil {
			return "", err
		}
	}
	reply, err := stream.CloseAndRecv()
	if err != nil {
		return code(err), nil
	}
	switch reply.Count {
	case 3:
		return okay, nil
	case 4:
		return tooMany, nil
	default:
		return "", fmt.Errorf("the server counted %d", reply.Count)
	}
}

// itemOf makes an item that has exactly this many bytes on the wire.
func itemOf(size int) *echo.Item {
	item := &echo.Item{Index: 1, Payload: pattern(size-16, 3)}
	item.Payload = pattern(size-16+size-proto.Size(item), 3)
	return item
}

func chat4m(client *ttrpc.Client) (string, error) {
	stream, err := echo.NewStreamsClient(client).Chat(background)
	if err != nil {
		return "", err
	}
	sent := itemOf(messageMax)
	if err := stream.Send(sent); err != nil {
		return "", err
	}
	item, err := stream.Recv()
	if err == nil && len(item.Payload) == 0 {
		return tooMany, nil
	}
	if err != nil {
		return "", err
	}
	return okay, sameItem(item, 1, sent.Payload)
}

func chatOversized(client *ttrpc.Client) (string, error) {
	stream, err := echo.NewStreamsClient(client).Chat(background)
	if err != nil {
		return "", err
	}
	if err := stream.Send(itemOf(messageMax + 1)); !refusedByLibrary(err) {
		return code(err), nil
	}
	return open("refused by the library", client)
}

func rangeOversized(client *ttrpc.Client) (string, error) {
	request := &echo.RangeRequest{Count: 1, Length: messageMax}
	stream, err := echo.NewStreamsClient(client).Range(background, request)
	if err != nil {
		return "", err
	}
	_, err = stream.Recv()
	return open(code(err), client)
}

// earlyEnd makes the server end a stream while the client's side is open, and then sends on it once
// more.
func earlyEnd(end int32) clientCheck {
	return func(client *ttrpc.Client) (string, error) {
		stream, err := echo.NewStreamsClient(client).Chat(background)
		if err != nil {
			return "", err
		}
		if err := stream.Send(&echo.Item{Index: 1, End: end}); err != nil {
			return "", err
		}
		item, err := stream.Recv()
		if err == nil && item.Index == 0 {
			return tooMany, nil
		}
		if err == nil {
			return "", fmt.Errorf("item %d came from a stream that should have ended", item.Index)
		}
		outcome := code(err)
		if errors.Is(err, io.EOF) {
			outcome = "end of stream"
		}
		if err := stream.Send(&echo.Item{Index: 2}); err != nil && !errors.Is(err, ttrpc.ErrStreamClosed) {
			return "", fmt.Errorf("sending on the ended stream: %w", err)
		}
		return open(outcome, client)
	}
}

func earlySum(client *ttrpc.Client) (string, error) {
	stream, err := echo.NewStreamsClient(client).Sum(background)
	if err != nil {
		return "", err
	}
	if err := stream.Send(&echo.Item{End: int32(codes.ResourceExhausted)}); err != nil {
		return "", err
	}
	// The client does not close its side, since ttrpc-rust may answer data on the ended stream before
	// it sends the status.
	err = stream.RecvMsg(&echo.SumReply{})
	return open(code(err), client)
}

func chatsAtOnce(client *ttrpc.Client) (string, error) {
	const chats = 16
	var group sync.WaitGroup
	errs := make(chan error, chats)
	outcomes := make(chan string, chats)
	for i := 0; i < chats; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			outcome, err := chat(client, 50, false)
			if err != nil {
				errs <- err
			} else {
				outcomes <- outcome
			}
		}()
	}
	group.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return "", err
	}
	return <-outcomes, nil
}

func streamMetadata(client *ttrpc.Client) (string, error) {
	ctx := ttrpc.WithMetadata(background, ttrpc.MD{"interop-one": {"1", "zwölf", ""}, "interop-two": {"2"}})
	stream, err := echo.NewStreamsClient(client).Metadata(ctx, &echo.Empty{})
	if err != nil {
		return "", err
	}
	var seen []string
	for {
		pair, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return code(err), nil
		}
		if strings.HasPrefix(pair.Key, "interop-") {
			seen = append(seen, pair.Key+"="+pair.Value)
		}
	}
	switch words := strings.Join(seen, " "); words {
	case "":
		return "not sent", nil
	case "interop-one=1 interop-one=zwölf interop-one= interop-two=2":
		return okay, nil
	default:
		return "", fmt.Errorf("%q came", words)
	}
}
