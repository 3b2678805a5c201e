// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/status"

	"interop/echo"
)

const headerLength = 10

func writeRequest(conn net.Conn, id uint32, payload []byte) error {
	request, err := marshal(&ttrpc.Request{Service: "interop.v1.Echo", Method: "Echo", Payload: payload})
	if err != nil {
		return err
	}
	message := make([]byte, headerLength, headerLength+len(request))
	binary.BigEndian.PutUint32(message, uint32(len(request)))
	binary.BigEndian.PutUint32(message[4:], id)
	message[8] = 1
	_, err = conn.Write(append(message, request...))
	return err
}

func readResponse(conn net.Conn) (uint32, *ttrpc.Response, error) {
	var header [headerLength]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return 0, nil, err
	}
	if header[8] != 2 {
		return 0, nil, fmt.Errorf("message type %d", header[8])
	}
	data := make([]byte, binary.BigEndian.Uint32(header[:]))
	if _, err := io.ReadFull(conn, data); err != nil {
		return 0, nil, err
	}
	response := &ttrpc.Response{}
	return binary.BigEndian.Uint32(header[4:]), response, unmarshal(data, response)
}

// oversizedRaw writes what the library refuses to write: a request of one byte more than the
// maximum. After it comes a request that must still be answered.
func oversizedRaw(path string) (string, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	long, err := marshal(&echo.EchoRequest{Payload: make([]byte, payloadFor(messageMax)+1)})
	if err != nil {
		return "", err
	}
	if err := writeRequest(conn, 1, long); err != nil {
		return "", err
	}
	if err := writeRequest(conn, 3, nil); err != nil {
		return "", err
	}
	outcome, later := "", "closed"
	for i := 0; i < 2; i++ {
		id, response, err := readResponse(conn)
		if err != nil {
			return "", err
		}
		callErr := status.ErrorProto(response.Status)
		switch {
		case id == 1:
			outcome = codeAndText(callErr)
		case id == 3 && callErr == nil:
			later = "open"
		default:
			return "", fmt.Errorf("stream %d: %v", id, callErr)
		}
	}
	return outcome + ", " + later, nil
}
