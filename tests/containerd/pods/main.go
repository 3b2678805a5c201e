// SPDX-License-Identifier: Apache-2.0
//
// pods makes and removes the record of a sandbox of containerd 2.x, as CRI does. The container of
// the same id is the sandbox, and `ctr run --sandbox` adds containers to its shim. ctr itself cannot
// make the record. A sandbox that is a service of the shim needs another shim than runc's, which
// does not serve containerd.runtime.sandbox.v1.Sandbox.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/sandbox"
	"github.com/containerd/containerd/v2/pkg/namespaces"
)

const (
	usage   = "usage: pods ADDRESS NAMESPACE create|remove ID"
	runtime = "io.containerd.runc.v2"
	// CRI's controller, whose sandboxes are containers.
	controller = "podsandbox"
)

func create(ctx context.Context, client *containerd.Client, id string) error {
	_, err := client.SandboxStore().Create(ctx, sandbox.Sandbox{
		ID:        id,
		Runtime:   sandbox.RuntimeOpts{Name: runtime},
		Sandboxer: controller,
	})
	if err != nil {
		return fmt.Errorf("create the record: %w", err)
	}
	return nil
}

func remove(ctx context.Context, client *containerd.Client, id string) error {
	if err := client.SandboxStore().Delete(ctx, id); err != nil {
		return fmt.Errorf("delete the record: %w", err)
	}
	return nil
}

func run(address, namespace, command, id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := containerd.New(address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", address, err)
	}
	defer client.Close()
	ctx = namespaces.WithNamespace(ctx, namespace)
	switch command {
	case "create":
		return create(ctx, client, id)
	case "remove":
		return remove(ctx, client, id)
	}
	return fmt.Errorf("unknown command %q; %s", command, usage)
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(64)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, "pods:", err)
		os.Exit(1)
	}
}
