// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

type anyMessage = anypb.Any

const oversizedCallWant = "refused by the library, open"

func marshal(m proto.Message) ([]byte, error) { return proto.Marshal(m) }

func unmarshal(p []byte, m proto.Message) error { return proto.Unmarshal(p, m) }

func requestSize(r *ttrpc.Request) int { return proto.Size(r) }

func refusedByLibrary(err error) bool {
	var refused *ttrpc.OversizedMessageErr
	return errors.As(err, &refused)
}
