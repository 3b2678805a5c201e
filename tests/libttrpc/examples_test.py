#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the examples as their users do.

examples_test.py CHAT GREETER_CLIENT GREETER_SERVER KV_CLIENT KV_SERVER ROOT_SERVER. Needs root,
because one of the examples refuses other users. Prints the first difference and exits with 1.
"""
import contextlib
import os
import select
import subprocess
import sys
import tempfile

CHAT, CLIENT, SERVER, KV_CLIENT, KV_SERVER, ROOT_SERVER = sys.argv[1:]
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


def run(*command, uid=0, given=""):
    """Returns the exit status, standard output and standard error."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          user=uid, group=uid, extra_groups=[], input=given)
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

    address = f"unix://{folder}/kv.sock"
    with serving(KV_SERVER, address) as server:
        # Each watcher gets a new value until it has shown one, since it may begin to watch late.
        watchers = [subprocess.Popen([KV_CLIENT, address, "watch", prefix], stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True) for prefix in ("", "b")]
        for watcher in watchers:
            while not select.select([watcher.stdout], [], [], 0)[0]:
                expect("put", run(KV_CLIENT, address, "put", "b/1", "one"), (0, "", ""))
            expect("watched", watcher.stdout.readline(), "b/1 one\n")
        expect("get", run(KV_CLIENT, address, "get", "b/1"), (0, "one\n", ""))
        expect("load", run(KV_CLIENT, address, "load", given="a/1 x\nb/2 y\n"), (0, "2 entries\n", ""))
        expect("list", run(KV_CLIENT, address, "list", "b/"), (0, "b/1 one\nb/2 y\n", ""))
        expect("delete", run(KV_CLIENT, address, "delete", "a/1"), (0, "", ""))
        expect("deleted", run(KV_CLIENT, address, "get", "a/1"), (1, "", 'NOT_FOUND: no key "a/1"\n'))
        expect("too long", run(KV_CLIENT, address, "load", given="a x " + "k" * 70000 + " y"),
               (1, "", "INVALID_ARGUMENT: the entry has more than 65536 bytes\n"))
        # SIGTERM ends the calls in flight, and the server with success.
        server.terminate()
        expect("the server's end", server.wait(timeout=60), 0)
        for watcher in watchers:
            _, error = watcher.communicate(timeout=60)
            expect("the watcher's end", (watcher.returncode, error),
                   (1, "UNAVAILABLE: the server stops\n"))

    expect("chat", run(CHAT), (0, "count: 3\ncount: 2\ncount: 1\nagain: one\nagain: two\n"
                                  "received: 2 lines, 6 bytes\nOK\n", ""))
