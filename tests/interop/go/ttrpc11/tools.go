//go:build tools

// SPDX-License-Identifier: Apache-2.0
//
// The generator of that time, so that go.mod and go.sum pin it like everything else.
package main

import (
	_ "github.com/containerd/ttrpc/cmd/protoc-gen-gogottrpc"
)
