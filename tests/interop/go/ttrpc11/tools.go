//go:build tools

// SPDX-License-Identifier: Apache-2.0
//
// The import makes go.mod and go.sum pin the generator of that time like everything else.
package main

import (
	_ "github.com/containerd/ttrpc/cmd/protoc-gen-gogottrpc"
)
