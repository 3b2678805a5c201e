// SPDX-License-Identifier: Apache-2.0
//
// pods makes and removes a sandbox of containerd 2.x. `ctr run --sandbox` then adds containers to
// it. ctr itself cannot make one, since it does not name the controller.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/containerd/containerd/api/types/runc/options"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/containerd/errdefs"
)

const (
	usage   = "usage: pods ADDRESS NAMESPACE create|remove ID"
	runtime = "io.containerd.runc.v2"
	// This controller asks a shim to be the sandbox. The other one belongs to CRI.
	controller = "shim"
)

func create(ctx context.Context, client *containerd.Client, id string) error {
	sandbox, err := client.NewSandbox(ctx, id,
		containerd.WithSandboxRuntime(runtime, &options.Options{}),
		containerd.WithSandboxSpec(&oci.Spec{Version: "1.0.2"}))
	if err != nil {
		return fmt.Errorf("create the sandbox: %w", err)
	}
	if err := sandbox.Start(ctx); err != nil {
		return fmt.Errorf("start the sandbox: %w", err)
	}
	return nil
}

func remove(ctx context.Context, client *containerd.Client, id string) error {
	sandbox, err := client.LoadSandbox(ctx, id)
	if err != nil {
		return fmt.Errorf("find the sandbox: %w", err)
	}
	if err := sandbox.Stop(ctx); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("stop the sandbox: %w", err)
	}
	// The shim exits when it is stopped. Shutting down a shim that has just exited fails in several
	// ways, and none of them matters if the record can be deleted.
	_ = sandbox.Shutdown(ctx)
	if err := client.SandboxStore().Delete(ctx, id); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("delete the record: %w", err)
	}
	return nil
}

func run(address, namespace, command, id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := containerd.New(address, containerd.WithDefaultSandboxer(controller))
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
