//go:build tools

// SPDX-License-Identifier: Apache-2.0
//
// The imports make go.mod and go.sum pin the generators like everything else.
package main

import (
	_ "github.com/containerd/ttrpc/cmd/protoc-gen-go-ttrpc"
	_ "google.golang.org/protobuf/cmd/protoc-gen-go"
)
