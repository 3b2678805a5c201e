# SPDX-License-Identifier: Apache-2.0
"""Starts a real daemon with [metrics], backends, clients and load, for tests that use HTTP.

Everything is in a temporary directory and ends with the `with` block. A client connects as another
user by a change of the effective ids during connect(2). The change applies to all threads, so
clients must connect before any other thread does something that needs root.
"""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

DEADLINE = 30  # seconds for anything that must happen; only a failing test waits this long

# No user has these ids on any machine we know. The first two may echo, the third may not.
ALICE, BOB, MALLORY = 30001, 30002, 30003
OK, INVALID_ARGUMENT, PERMISSION_DENIED, UNAVAILABLE = 0, 3, 7, 14

CONFIG = """
[daemon]
drain_timeout = "1h"
[admin]
address = "unix://{folder}/admin.sock"
[metrics]
address = "{metrics}"
[limits]
connections_per_user = 32
calls_per_user = 64
buffered_per_user = "4MiB"

[[listener]]
name = "front"
address = "unix://{folder}/front.sock"
mode = "0666"
[[listener]]
name = "side"
address = "unix://{folder}/side.sock"

[[backend]]
name = "echo"
address = "unix://{folder}/echo.sock"
[[backend]]
name = "holder"
address = "unix://{folder}/holder.sock"
[[backend]]
name = "gone"
address = "unix://{folder}/gone.sock"

[[rule]]
name = "never mallory"
users = [{mallory}]
methods = ["/bench.Echo/*"]
action = "deny"
[[rule]]
name = "these may echo"
users = ["root", {alice}, {bob}]
methods = ["/bench.Echo/Echo"]
action = "allow"
backend = "echo"
[[rule]]
name = "these may wait"
users = ["root", {alice}, {mallory}]
methods = ["/bench.Hold/Hold"]
action = "allow"
backend = "holder"
[[rule]]
name = "nobody is there"
users = ["root"]
methods = ["/bench.Gone/*"]
action = "allow"
backend = "gone"
"""


def eventually(what, condition, seconds=DEADLINE):
    """Waits until `condition` returns a true value, and returns that."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return result


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


class Client:
    """A connection of one user. It makes one call at a time, and returns only the status."""

    def __init__(self, path, uid=0):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(DEADLINE)
        self._next = 1
        try:
            os.setegid(uid)
            os.seteuid(uid)
            self._socket.connect(str(path))
        finally:
            os.seteuid(0)
            os.setegid(0)

    def send(self, service, method, payload=b""):
        data = field(1, service.encode()) + field(2, method.encode()) + field(3, payload)
        self._socket.sendall(struct.pack(">IIBB", len(data), self._next, 1, 0) + data)
        self._next += 2

    def call(self, service, method, payload=b""):
        """Returns the code of the status."""
        self.send(service, method, payload)
        length = struct.unpack(">IIBB", self._read(10))[0]
        data = self._read(length)
        if not data or data[0] != 0x0A:  # the response has no status
            return OK
        # The status is the first field of the response, and the code (if it is not 0) the first in
        # the status.
        status = data[2:] if data[1] < 128 else data[3:]
        return status[1] if status and status[0] == 0x08 else OK

    def _read(self, size):
        out = b""
        while len(out) < size:
            part = self._socket.recv(size - len(out))
            if not part:
                raise AssertionError("the daemon closed a connection")
            out += part
        return out

    def close(self):
        self._socket.close()


class Stage:
    def __init__(self, build):
        self.build = Path(build).resolve()
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.daemon = None
        self._others = []
        self._stop = threading.Event()
        self._threads = []

        self._holder = socket.socket(socket.AF_UNIX)
        self._temporary = tempfile.TemporaryDirectory(prefix="ttrpc-stage-")
        self.folder = Path(self._temporary.name)
        self.folder.chmod(0o755)
        self.front = self.folder / "front.sock"

    def __enter__(self):
        # A SIGTERM must also end the programs that this one has started.
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _begin(self):
        # The holder accepts connections and never answers.
        self._holder.bind(str(self.folder / "holder.sock"))
        self._holder.listen()
        echo = self.folder / "echo.sock"
        self.start(self.build / "tests/bench/ttrpc-bench-echo", "--socket", echo)
        eventually("the echo backend listens", echo.exists)
        self.write_config()
        self.start_daemon()

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for process in [self.daemon, *self._others]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        self._holder.close()
        self._temporary.cleanup()

    def write_config(self, metrics=None, more=""):
        path = self.folder / "config.toml"
        path.write_text(CONFIG.format(
            folder=self.folder, metrics=metrics or f"tcp:127.0.0.1:{self.port}", alice=ALICE, bob=BOB,
            mallory=MALLORY) + more)
        path.chmod(0o600)

    def log(self):
        return (self.folder / "daemon.log").read_text(errors="replace")

    def start_daemon(self):
        with open(self.folder / "daemon.log", "ab") as log:
            self.daemon = subprocess.Popen(
                [self.build / "daemon/ttrpc-proxyd", "--config", self.folder / "config.toml"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def ready():
            if self.daemon.poll() is not None:
                raise AssertionError(f"the daemon ended:\n{self.log()}")
            return self.get("/readyz")[0] == 200

        eventually("the daemon is ready", ready)

    def signal(self, number):
        self.daemon.send_signal(number)

    def wait_for_exit(self):
        return self.daemon.wait(DEADLINE)

    def get(self, path):
        """Returns the status and the body, or (0, b"") if nobody answers."""
        try:
            with urllib.request.urlopen(self.base + path, timeout=DEADLINE) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            return 0, b""

    def status(self):
        return json.loads(self.get("/status.json")[1])

    def start(self, *command, **streams):
        with open(self.folder / "others.log", "ab") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **streams}
            process = subprocess.Popen([str(word) for word in command], cwd=self.folder, **streams)
        self._others.append(process)
        return process

    def load(self, *options):
        """Starts ttrpc-bench-load with the daemon as its target."""
        program = self.build / "tests/bench/ttrpc-bench-load"
        return self.start(program, "--socket", self.front, *options, stdout=subprocess.PIPE)

    def result_of(self, load):
        """Waits for the end of the load, and returns its counts."""
        out, _ = load.communicate(timeout=120)
        if load.returncode != 0:
            raise AssertionError((self.folder / "others.log").read_text(errors="replace"))
        return json.loads(out)

    def trickle(self, seconds, *calls):
        """Makes these calls in turn, one every `seconds`, until the end."""

        def run():
            while not self._stop.is_set():
                for make in calls:
                    try:
                        make()
                    except (AssertionError, OSError):
                        return  # the daemon has ended
                    if self._stop.wait(seconds):
                        return

        thread = threading.Thread(target=run)
        thread.start()
        self._threads.append(thread)


class Checks:
    """Counts passed and failed checks, and prints them in the form that tests/run.sh reads."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, name, ok, why=""):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
        print(f"{'PASS' if ok else 'FAIL'} {name}" + (f": {why}" if why and not ok else ""), flush=True)

    def equal(self, name, wanted, have):
        self.check(name, wanted == have, f"expected {wanted!r}, not {have!r}")

    def passes(self, name, action):
        """Checks that `action` does not raise, and returns its result."""
        try:
            result = action()
        except Exception as error:  # any failure is reported, and the other checks continue
            self.check(name, False, f"{type(error).__name__}: {error}")
            return None
        self.check(name, True)
        return result

    def finish(self):
        """Prints the totals, and returns the exit status."""
        print(f"{self.passed} passed, {self.failed} failed, 0 skipped")
        return 0 if self.failed == 0 and self.passed > 0 else 1


SIGHUP, SIGTERM = signal.SIGHUP, signal.SIGTERM
