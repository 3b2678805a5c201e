#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures how ttrpc-proxyd checks, starts with and reloads large configurations; prints a table.

run.sh --policies builds what this needs and starts it. README.md explains the table.
"""

import argparse
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import print_table, progress

# Each row has the number of listeners, that of rules, and whether each rule names one listener.
SIZES = [(1, 1000, True), (1, 10_000, True), (1000, 1000, False), (1000, 10_000, True)]
SIZES += [(1000, 10_000, False)]
PATIENCE = 120  # seconds; anything slower is a failure


def configuration(folder, listeners, rules, named):
    parts = ['[log]\nlevel = "warn"\n[daemon]\ndrain_timeout = "0"\n']
    parts.append(f'[[backend]]\nname = "b"\naddress = "unix://{folder}/back.sock"\n')
    for i in range(listeners):
        parts.append(f'[[listener]]\nname = "l{i}"\naddress = "unix://{folder}/l{i}.sock"\n')
    for i in range(rules):
        where = f'listeners = ["l{i % listeners}"]\n' if named else ""
        parts.append(
            f'[[rule]]\nname = "r{i}"\n{where}users = [{100_000 + i}]\nmethods = ["/s.S{i}/*"]\n'
            'action = "allow"\nbackend = "b"\n'
        )
    return "".join(parts)


class Daemon:
    """The running daemon, for a `with` block; it notifies when it is ready."""

    def __init__(self, program, folder):
        self.ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ready.bind(f"{folder}/notify.sock")
        self.ready.settimeout(PATIENCE)
        env = dict(os.environ, NOTIFY_SOCKET=f"{folder}/notify.sock")
        begin = time.monotonic()
        self.process = subprocess.Popen([program, "--config", f"{folder}/c.toml"], env=env)
        self.wait()
        self.start_seconds = time.monotonic() - begin

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.ready.close()

    def wait(self):
        while b"READY=1" not in self.ready.recv(65536):
            pass

    def loop_seconds(self):
        """Returns the processor time of the loop's thread."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9

    def memory(self, key):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1024
        raise KeyError(key)

    def reload(self):
        """Returns the seconds until the daemon is ready again, and the loop's processor time."""
        before = self.loop_seconds()
        begin = time.monotonic()
        self.process.send_signal(signal.SIGHUP)
        self.wait()
        return time.monotonic() - begin, self.loop_seconds() - before


def check_seconds(program, folder):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [program, "--config", f"{folder}/c.toml", "--check"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, timeout=PATIENCE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(program, size, reloads):
    listeners, rules, named = size
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        Path(folder, "c.toml").write_text(configuration(folder, listeners, rules, named))
        check = check_seconds(program, folder)
        with Daemon(program, folder) as daemon:
            times = [daemon.reload() for _ in range(reloads)]
            return [
                f"{listeners:,} × {rules:,}, {'one each' if named else 'for all'}",
                f"{check:.2f}",
                f"{daemon.start_seconds:.2f}",
                f"{max(total for total, _ in times):.2f}",
                f"{max(loop for _, loop in times) * 1000:.1f}",
                f"{daemon.memory('VmRSS'):.0f}",
                f"{daemon.memory('VmHWM'):.0f}",
            ]


def main():
    parser = argparse.ArgumentParser(prog="run.sh --policies", description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build-bench", help="meson build directory")
    parser.add_argument("--reloads", type=int, default=5, help="how many; the slowest is shown")
    options = parser.parse_args()
    program = str(Path(options.build, "daemon/ttrpc-proxyd").resolve())
    rows = []
    for size in SIZES:
        progress(f"{size[0]} listeners, {size[1]} rules")
        rows.append(measure(program, size, options.reloads))
    print_table(
        ["listeners × rules", "check s", "start s", "reload s", "loop ms", "RSS MiB", "peak MiB"],
        rows,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
