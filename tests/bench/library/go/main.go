// SPDX-License-Identifier: Apache-2.0

// This is the echo server of the library benchmark, as one would write it with containerd/ttrpc.
package main

import (
	"context"
	"log"
	"net"
	"os"

	"github.com/containerd/ttrpc"

	"bench/echo"
)

type echoServer struct{}

func (echoServer) Echo(_ context.Context, m *echo.EchoMessage) (*echo.EchoMessage, error) {
	return m, nil
}

func (echoServer) Wait(ctx context.Context, _ *echo.EchoMessage) (*echo.EchoMessage, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: bench-echo SOCKET")
	}
	server, err := ttrpc.NewServer()
	if err != nil {
		log.Fatal(err)
	}
	echo.RegisterEchoService(server, echoServer{})
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(context.Background(), listener))
}
