// SPDX-License-Identifier: Apache-2.0

// goproxy is a proxy as one would write it in Go with containerd/ttrpc alone: a ttrpc server with
// the unix-credentials handshaker that calls a ttrpc client. It does for unary calls of one method
// what ttrpc-proxyd does for all: it authenticates the peer, admits only root, and forwards the
// configured method with the unchanged payload, deadline and metadata.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log"
	"net"

	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// clientKey finds the ttrpc client of a connection in the context of its calls.
type clientKey struct{}

// peerConn closes the backend connection together with the peer's.
type peerConn struct {
	net.Conn
	backend *ttrpc.Client
}

func (c *peerConn) Close() error {
	defer c.backend.Close()
	return c.Conn.Close()
}

// handshaker admits root, and ties the backend connection to the peer if the peer has one of its
// own.
type handshaker struct {
	shared bool
}

func (h handshaker) Handshake(ctx context.Context, conn net.Conn) (net.Conn, any, error) {
	approved, credentials, err := ttrpc.UnixSocketRequireRoot().Handshake(ctx, conn)
	if err != nil || h.shared {
		return approved, credentials, err
	}
	return &peerConn{approved, ctx.Value(clientKey{}).(*ttrpc.Client)}, credentials, nil
}

// oneConn is a listener that accepts one connection. Serve uses one context for all connections of
// a listener, and here each connection needs its own.
type oneConn struct {
	net.Listener
	conn net.Conn
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, io.EOF
	}
	conn := l.conn
	l.conn = nil
	return conn, nil
}

func (l *oneConn) Close() error { return nil }

// forward decodes into a message without fields, which keeps the whole payload as unknown fields.
// The library's interface has no cheaper way.
func forward(service, method string) ttrpc.Method {
	return func(ctx context.Context, unmarshal func(any) error) (any, error) {
		var request, response emptypb.Empty
		if err := unmarshal(&request); err != nil {
			return nil, err
		}
		client := ctx.Value(clientKey{}).(*ttrpc.Client)
		if err := client.Call(ctx, service, method, &request, &response); err != nil {
			return nil, err
		}
		return &response, nil
	}
}

func dial(path string) (*ttrpc.Client, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	return ttrpc.NewClient(conn), nil
}

func serveShared(server *ttrpc.Server, listener net.Listener, backend string) error {
	client, err := dial(backend)
	if err != nil {
		return err
	}
	ctx := context.WithValue(context.Background(), clientKey{}, client)
	return server.Serve(ctx, listener)
}

func servePerPeer(server *ttrpc.Server, listener net.Listener, backend string) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		client, err := dial(backend)
		if err != nil {
			log.Print(err)
			conn.Close()
			continue
		}
		ctx := context.WithValue(context.Background(), clientKey{}, client)
		// Serve returns once the connection has goroutines of its own.
		if err := server.Serve(ctx, &oneConn{listener, conn}); !errors.Is(err, io.EOF) {
			return err
		}
	}
}

func main() {
	listen := flag.String("listen", "", "path of the Unix socket to listen on")
	backend := flag.String("backend", "", "path of the Unix socket to forward to")
	service := flag.String("service", "bench.Echo", "service to forward")
	method := flag.String("method", "Echo", "method to forward")
	shared := flag.Bool("shared", false, "one backend connection for all peers, not one for each")
	flag.Parse()

	server, err := ttrpc.NewServer(ttrpc.WithServerHandshaker(handshaker{*shared}))
	if err != nil {
		log.Fatal(err)
	}
	server.Register(*service, map[string]ttrpc.Method{*method: forward(*service, *method)})
	listener, err := net.Listen("unix", *listen)
	if err != nil {
		log.Fatal(err)
	}
	serve := servePerPeer
	if *shared {
		serve = serveShared
	}
	log.Fatal(serve(server, listener, *backend))
}
