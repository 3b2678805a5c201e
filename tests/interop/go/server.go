// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"sort"
	"sync"

	"github.com/containerd/ttrpc"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"interop/echo"
)

const detailType = "type.googleapis.com/interop.v1.EchoReply"

// nap records when a Sleep began and when it ended; both channels close once.
type nap struct {
	begun, ended       chan struct{}
	beginOnce, endOnce sync.Once
}

type echoServer struct {
	mu   sync.Mutex
	naps map[string]*nap
}

func (s *echoServer) nap(key string) *nap {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.naps[key]
	if !ok {
		n = &nap{begun: make(chan struct{}), ended: make(chan struct{})}
		s.naps[key] = n
	}
	return n
}

func (s *echoServer) Echo(_ context.Context, r *echo.EchoRequest) (*echo.EchoReply, error) {
	return &echo.EchoReply{Payload: r.Payload, Text: r.Text}, nil
}

func (s *echoServer) Nothing(context.Context, *echo.Empty) (*echo.Empty, error) {
	return &echo.Empty{}, nil
}

func (s *echoServer) Fail(_ context.Context, r *echo.FailRequest) (*echo.Empty, error) {
	st := &spb.Status{Code: r.Code, Message: r.Message}
	if r.Detail != "" {
		value, err := marshal(&echo.EchoReply{Text: r.Detail})
		if err != nil {
			return nil, err
		}
		st.Details = []*anyMessage{{TypeUrl: detailType, Value: value}}
	}
	return nil, status.ErrorProto(st)
}

func (s *echoServer) Blob(_ context.Context, r *echo.BlobRequest) (*echo.EchoReply, error) {
	return &echo.EchoReply{Payload: make([]byte, r.Length)}, nil
}

func (s *echoServer) Metadata(ctx context.Context, _ *echo.Empty) (*echo.MetadataReply, error) {
	return &echo.MetadataReply{Pairs: pairsOf(ctx)}, nil
}

// pairsOf lists the metadata of a call in order of keys.
func pairsOf(ctx context.Context) []*echo.Pair {
	md, _ := ttrpc.GetMetadata(ctx)
	keys := make([]string, 0, len(md))
	for key := range md {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	var pairs []*echo.Pair
	for _, key := range keys {
		for _, value := range md[key] {
			pairs = append(pairs, &echo.Pair{Key: key, Value: value})
		}
	}
	return pairs
}

func (s *echoServer) Sleep(ctx context.Context, r *echo.WaitRequest) (*echo.Empty, error) {
	n := s.nap(r.Key)
	n.beginOnce.Do(func() { close(n.begun) })
	defer n.endOnce.Do(func() { close(n.ended) })
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *echoServer) Began(ctx context.Context, r *echo.WaitRequest) (*echo.Empty, error) {
	return wait(ctx, s.nap(r.Key).begun)
}

func (s *echoServer) Ended(ctx context.Context, r *echo.WaitRequest) (*echo.Empty, error) {
	return wait(ctx, s.nap(r.Key).ended)
}

func wait(ctx context.Context, happened <-chan struct{}) (*echo.Empty, error) {
	select {
	case <-happened:
		return &echo.Empty{}, nil
	case <-ctx.Done():
		return nil, status.Error(codes.Canceled, ctx.Err().Error())
	}
}

func serve(path string) {
	server, err := ttrpc.NewServer()
	if err != nil {
		fatal(err)
	}
	echo.RegisterEchoService(server, &echoServer{naps: map[string]*nap{}})
	registerStreams(server)
	listener, err := net.Listen("unix", path)
	if err != nil {
		fatal(err)
	}
	fmt.Println("ready")
	fatal(server.Serve(context.Background(), listener))
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
