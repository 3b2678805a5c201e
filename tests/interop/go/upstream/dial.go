// SPDX-License-Identifier: Apache-2.0

// Package upstream takes the place of net.Dial in upstream's own tests. upstream.sh copies this file into
// each of upstream's packages, under that package's name.
package upstream

import (
	"net"
	"os"
	"path/filepath"
	"strings"
)

// dialThroughDaemon connects to the daemon's listener for the server at address, which is an abstract name or a
// file name. The listener's socket has the same name in the directory of the fronts.
func dialThroughDaemon(address string) (net.Conn, error) {
	name := strings.TrimPrefix(address, "\x00")
	return net.Dial("unix", filepath.Join(os.Getenv("UPSTREAM_FRONTS"), name))
}
