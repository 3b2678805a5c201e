// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/containerd/ttrpc"
	"github.com/gogo/protobuf/proto"
	anypb "github.com/golang/protobuf/ptypes/any"
)

type anyMessage = anypb.Any

// ttrpc 1.1 sends messages of any size, so the answer comes from the other side.
const oversizedCallWant = oversized

func marshal(m proto.Message) ([]byte, error) { return proto.Marshal(m) }

func unmarshal(p []byte, m proto.Message) error { return proto.Unmarshal(p, m) }

func requestSize(r *ttrpc.Request) int { return proto.Size(r) }

func refusedByLibrary(error) bool { return false }

func registerStreams(*ttrpc.Server) {}

func streamChecks() []check { return nil }
