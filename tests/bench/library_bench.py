#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs load generators against echo servers written with each ttrpc library, and with gRPC.

library/run.sh builds the programs and starts this one. All started processes end with it, and its
files are in a temporary directory. README.md explains the tables.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness import LOAD_CPU, SUBJECT_CPU, BenchError, Workload
from harness import accepts, settled_kib, wait_for
from harness import median, print_table, print_targets, progress, ratio_text, ratios
from harness import measure, options_parser, parse_options

BASELINE = "go"
DESCRIPTORS = 16384
IDLE_CONNECTIONS = 2000
PENDING_CONNECTIONS = 10
PENDING_CALLS = 1000  # on each connection
WORKLOADS = [Workload("1x1", 1, 1, 64), Workload("16x8", 16, 8, 64)]

# run.sh puts these below the build directory. The path of the socket is the last argument of each.
SERVERS = {
    "none": ["tests/bench/ttrpc-bench-echo", "--socket"],
    "libttrpc": ["tests/bench/library/ttrpc-bench-server"],
    "libttrpc-static": ["tests/bench/library/ttrpc-bench-server-static"],
    "go": ["library/go/ttrpc-bench-go"],
    "rust": ["library/rust/release/bench-echo"],
    "grpc-c++": ["tests/bench/library/ttrpc-bench-grpc"],
}
LOADS = {"grpc-c++": "tests/bench/library/ttrpc-bench-grpc-load"}
USUAL_LOAD = "tests/bench/ttrpc-bench-load"
CLIENT = "tests/bench/library/ttrpc-bench-client"
LINKED = {"libttrpc": "shared", "libttrpc-static": "static"}
COUNTED_LIBRARIES = ("libttrpc", "grpc-c++")
# Every C++ program has these libraries.
RUNTIME = re.compile(r"/(ld-linux[^/]*|lib(c|m|gcc_s|stdc\+\+))\.so[^/]*$")

# ---- Measuring -----------------------------------------------------------------------------------


@dataclass
class Subject:
    """A server and its results."""

    name: str
    socket: Path
    load: list = None
    process: subprocess.Popen = None
    rounds: dict = field(default_factory=lambda: {w.name: [] for w in WORKLOADS})
    idle_kib: int = None
    loaded_kib: int = None
    connection_bytes: float = None
    pending_bytes: float = None
    libraries: dict = None  # mapped bytes by path


def mapped_libraries(process):
    """Returns the mapped bytes of a process's shared libraries, except those of C and C++."""
    libraries = {}
    for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines():
        words = line.split()
        path = words[5] if len(words) > 5 else ""
        if ".so" in os.path.basename(path) and not RUNTIME.search(path):
            begin, end = (int(word, 16) for word in words[0].split("-"))
            libraries[path] = libraries.get(path, 0) + end - begin
    return libraries


class Bench:
    def __init__(self, env, options):
        self.env = env
        self.options = options

    def start(self, subject):
        """Starts a process and waits until it accepts connections."""
        subject.socket.unlink(missing_ok=True)
        program, *words = SERVERS[subject.name]
        command = [self.env.build / program, *words, subject.socket]
        subject.process = self.env.start(subject.name, command, SUBJECT_CPU)
        try:
            wait_for(subject.name, lambda: accepts(subject.socket), subject.process)
        except BenchError as error:
            raise BenchError(f"{error}\n{self.env.log_of(subject.name)}") from None

    def growth(self, subject, arguments):
        """Returns by how many bytes a process grows while a load generator holds its calls."""
        # The first calls load code and grow the heap's first arena, which is not memory of a call.
        self.env.generate(subject.load, subject.name, ["--calls", "100"], 5)
        before = settled_kib(subject.process)
        holder = self.env.hold(subject.load, subject.name, arguments)
        grown = settled_kib(subject.process) - before
        self.env.stop(holder)
        return grown * 1024

    def measure_memory(self, subject):
        self.start(subject)
        subject.idle_kib = settled_kib(subject.process)
        connections = ["--connections", IDLE_CONNECTIONS, "--calls", 1]
        subject.connection_bytes = self.growth(subject, connections) / IDLE_CONNECTIONS
        if subject.name in COUNTED_LIBRARIES:
            subject.libraries = mapped_libraries(subject.process)
        self.env.stop(subject.process)
        if subject.name == "none":  # this server has no method Wait
            return
        self.start(subject)
        calls = ["--connections", PENDING_CONNECTIONS, "--waits", PENDING_CALLS, "--calls", 1]
        grown = self.growth(subject, calls)
        subject.pending_bytes = grown / (PENDING_CONNECTIONS * PENDING_CALLS)
        self.env.stop(subject.process)

    def client_pending_bytes(self, subject):
        """Returns the growth of a libttrpc client for each pending call."""
        command = [self.env.build / CLIENT, subject.socket, PENDING_CONNECTIONS, PENDING_CALLS]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        client = self.env.start("load", command, LOAD_CPU, **pipes)
        sizes = []
        for step in (b"connected\n", b"pending\n"):
            if client.stdout.readline() != step:
                self.env.lost(subject.name)
            sizes.append(settled_kib(client))
            client.stdin.write(b"\n")
            client.stdin.flush()
        self.env.stop(client)
        return (sizes[1] - sizes[0]) * 1024 / (PENDING_CONNECTIONS * PENDING_CALLS)

    def measure_round(self, subject, workload):
        options = self.options
        seconds = options.seconds + options.warmup
        arguments = workload.arguments(options)
        result = self.env.generate(subject.load, subject.name, arguments, seconds)
        if result["calls"] == 0:
            raise BenchError(f"{subject.name}: no call came back in time")
        subject.rounds[workload.name].append(result)

    def run(self, names):
        subjects = [Subject(n, self.env.folder / f"{n}.sock") for n in names]
        for subject in subjects:
            load = LOADS.get(subject.name, USUAL_LOAD)
            subject.load = [self.env.build / load, "--socket", subject.socket]
            progress(f"memory: {subject.name}")
            self.measure_memory(subject)
        for subject in subjects:
            self.start(subject)
        for number in range(self.options.rounds):
            # Each round starts with another subject, so that none always runs right after the same
            # one.
            turn = number % len(subjects)
            for workload in WORKLOADS:
                progress(f"round {number + 1} of {self.options.rounds}: {workload.name}")
                for subject in subjects[turn:] + subjects[:turn]:
                    self.measure_round(subject, workload)
        client_bytes = None
        for subject in subjects:
            subject.loaded_kib = settled_kib(subject.process)
            if subject.name == "libttrpc":
                client_bytes = self.client_pending_bytes(subject)
        return subjects, client_bytes


# ---- Tables --------------------------------------------------------------------------------------


def print_speed(subjects, baseline):
    for workload in WORKLOADS:
        print(f"\n{workload.title()}\n")
        head = ["", "calls/s", "p50 us", "p99 us"]
        head += [f"calls/s : {BASELINE}", f"p50 : {BASELINE}"] if baseline else []
        rows = []
        for subject in subjects:
            row = [
                subject.name,
                f"{median(subject, workload, 'calls_per_second'):,.0f}",
                f"{median(subject, workload, 'p50_us'):.1f}",
                f"{median(subject, workload, 'p99_us'):.1f}",
            ]
            for key in ("calls_per_second", "p50_us") if baseline else ():
                row.append(ratio_text(ratios(subject, baseline, workload, key)))
            rows.append(row)
        print_table(head, rows)


def libraries_mib(subject):
    return sum(subject.libraries.values()) / (1 << 20)


def print_memory(subjects, client_bytes):
    pending = PENDING_CONNECTIONS * PENDING_CALLS
    print(
        f"\nServer's memory (VmRSS); {IDLE_CONNECTIONS} idle connections that made one call each;"
        f" {pending} pending calls on {PENDING_CONNECTIONS} connections;\n"
        "shared libraries beyond libc, libm, libgcc and libstdc++: bytes mapped (how many)\n"
    )
    head = ["", "idle MiB", "after load MiB", "each connection KiB", "each pending call KiB"]
    rows = []
    for s in subjects:
        row = [s.name, f"{s.idle_kib / 1024:.1f}", f"{s.loaded_kib / 1024:.1f}"]
        row.append(f"{s.connection_bytes / 1024:.2f}")
        row.append("" if s.pending_bytes is None else f"{s.pending_bytes / 1024:.2f}")
        libraries = s.libraries
        row.append(f"{libraries_mib(s):.1f} ({len(libraries)})" if libraries is not None else "")
        rows.append(row)
    print_table([*head, "libraries MiB"], rows)
    if client_bytes is not None:
        print(f"\nA libttrpc client, for each pending call: {client_bytes / 1024:.2f} KiB")


def print_library_targets(by_name, client_bytes):
    """Prints the targets of libttrpc, without those against servers that were not run."""
    ours = by_name.get("libttrpc")
    if not ours:
        return
    latency, batch = WORKLOADS
    checks = []
    for workload, key, other, relation, bound in [
        (latency, "p50_us", "go", "<=", 0.6),
        (batch, "calls_per_second", "go", ">=", 5),
        (batch, "calls_per_second", "rust", ">=", 2),
    ]:
        if other in by_name:
            values = ratios(ours, by_name[other], workload, key)
            what = f"{'p50' if key == 'p50_us' else 'calls/s'} at {workload.name} : {other}"
            checks.append((what, relation, bound, statistics.median(values), ratio_text(values)))
    for name, other, bound in (
        ("libttrpc-static", "go", 1 / 2),
        ("libttrpc", "go", 1 / 2),
        ("libttrpc", "grpc-c++", 1 / 3),
    ):
        if name in by_name and other in by_name:
            value = by_name[name].idle_kib / by_name[other].idle_kib
            what = f"idle memory, {LINKED[name]} : {other}"
            checks.append((what, "<=", bound, value, f"{value:.2f}"))
    if "grpc-c++" in by_name:
        value = libraries_mib(ours) / libraries_mib(by_name["grpc-c++"])
        checks.append(("libraries mapped : grpc-c++", "<=", 1 / 4, value, f"{value:.2f}"))
    for what, size in (
        ("each idle connection KiB", ours.connection_bytes),
        ("each pending call KiB, server", ours.pending_bytes),
        ("each pending call KiB, client", client_bytes),
    ):
        checks.append((what, "<=", 1, size / 1024, f"{size / 1024:.2f}"))
    print_targets("libttrpc against its targets", checks)


def report(subjects, client_bytes, options, elapsed):
    by_name = {s.name: s for s in subjects}
    checked = sum(r["checked"] for s in subjects for rs in s.rounds.values() for r in rs)
    pinned = "generator on CPU 0, servers on CPU 1" if options.pin else "nothing pinned"
    print(
        f"{options.rounds} interleaved rounds of {options.seconds} s after {options.warmup} s of"
        f" warm-up, {os.cpu_count()} CPUs, {pinned}, {elapsed:.0f} s in all.\n"
        f"Medians over the rounds; ratios by round: median (lowest-highest).\n"
        f"{checked:,} replies, each byte as expected."
    )
    print_speed(subjects, by_name.get(BASELINE))
    print_memory(subjects, client_bytes)
    print_library_targets(by_name, client_bytes)
    if options.json:
        kept = ("rounds", "idle_kib", "loaded_kib", "connection_bytes", "pending_bytes", "libraries")
        values = {s.name: {key: getattr(s, key) for key in kept} for s in subjects}
        values["client_pending_bytes"] = client_bytes
        Path(options.json).write_text(json.dumps(values, indent=1) + "\n")


# ---- Command line --------------------------------------------------------------------------------


def main():
    names = list(SERVERS)
    parser = options_parser(__doc__.splitlines()[0], names, names)
    options = parse_options(parser, names, names)
    begin = time.monotonic()
    subjects, client_bytes = measure(
        options, WORKLOADS, DESCRIPTORS, lambda env: Bench(env, options).run(options.only)
    )
    report(subjects, client_bytes, options, time.monotonic() - begin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
