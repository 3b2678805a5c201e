#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the examples as their users do.

examples_test.py CHAT GREETER_CLIENT GREETER_SERVER ROOT_SERVER. Needs root, because one of the
examples refuses other users. Prints the first difference and exits with 1.
"""
import contextlib
import os
import subprocess
import sys
import tempfile

CHAT, CLIENT, SERVER, ROOT_SERVER = sys.argv[1:]
NOBODY = 65534


@contextlib.contextmanager
def serving(program, address):
    server = subprocess.Popen([program, address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "ready\n", server.stderr.read()
        yield server
    finally:
        server.terminate()
        server.communicate()


def run(*command, uid=0):
    """Returns the exit status, standard output and standard error."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          user=uid, group=uid, extra_groups=[])
    return done.returncode, done.stdout, done.stderr


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got!r}, expected {wanted!r}")


with tempfile.TemporaryDirectory() as folder:
    os.chmod(folder, 0o755)
    address = f"unix://{folder}/greeter.sock"
    expect("no server", run(CLIENT, address, "World"),
           (1, "", f"UNAVAILABLE: {address}: No such file or directory\n"))
    with serving(SERVER, address):
        expect("greeter", run(CLIENT, address, "World"), (0, "Hello, World!\n", ""))
        expect("nobody", run(CLIENT, address, ""), (1, "", "INVALID_ARGUMENT: nobody to greet\n"))
        expect("second server", run(SERVER, address)[0], 1)

    address = f"unix://{folder}/root.sock"
    with serving(ROOT_SERVER, address) as server:
        expect("root", run(CLIENT, address, "root"), (0, "Hello, root, uid 0 gid 0!\n", ""))
        expect("not root", run(CLIENT, address, "me", uid=NOBODY), (1, "", "UNAVAILABLE: ttrpc: closed\n"))
        expect("the server's message", server.stderr.readline(),
               f"refused: PERMISSION_DENIED: the peer is uid {NOBODY} gid {NOBODY}; "
               "expected uid 0 gid 0\n")

    expect("chat", run(CHAT), (0, "count: 3\ncount: 2\ncount: 1\nagain: one\nagain: two\n"
                                  "received: 2 lines, 6 bytes\nOK\n", ""))
