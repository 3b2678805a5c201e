#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the load generator against the echo backend, directly and through each proxy; prints tables.

run.sh builds the programs and starts this one. All started processes end with it, and its files are
in a temporary directory. README.md explains the tables.
"""

import json
import os
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
from proxies import DEFAULT_ONLY, DESCRIPTORS, PROXIES, before_proxy

BASELINE = "nginx"
BEFORE = "before"  # another build of ttrpc-proxyd, given by --before
IDLE_PAIRS = 2000

WORKLOADS = [
    Workload("16x8", 16, 8, 64),
    Workload("1x1", 1, 1, 64),
    Workload("64x1", 64, 1, 64),
    Workload("64KiB", 4, 4, 64 * 1024),
]

# ---- Measuring -----------------------------------------------------------------------------------


@dataclass
class Subject:
    """A proxy, or none (`direct`), and its results."""

    name: str
    socket: Path
    process: subprocess.Popen = None
    rounds: dict = field(default_factory=lambda: {w.name: [] for w in WORKLOADS})
    idle_kib: int = None
    loaded_kib: int = None
    pair_bytes: float = None


class Bench:
    def __init__(self, env, options):
        self.env = env
        self.options = options
        self.backend = env.folder / "echo.sock"
        self.load = env.build / "tests/bench/ttrpc-bench-load"
        self.proxies = dict(PROXIES)
        if getattr(options, "before", None):  # other benchmarks do not have this option
            self.proxies[BEFORE] = before_proxy(options.before)

    def start_backend(self):
        echo = self.env.build / "tests/bench/ttrpc-bench-echo"
        process = self.env.start("echo", [echo, "--socket", self.backend], LOAD_CPU)
        wait_for("echo backend", lambda: accepts(self.backend), process)

    def start_proxy(self, subject):
        """Starts a proxy and waits until it accepts."""
        subject.socket.unlink(missing_ok=True)
        command = self.proxies[subject.name](self.env, subject.socket, self.backend)
        process = self.env.start(subject.name, command, SUBJECT_CPU)
        try:
            wait_for(subject.name, lambda: accepts(subject.socket), process)
            if command[0] == "systemd-socket-activate":
                comm = Path(f"/proc/{process.pid}/comm")
                wait_for(subject.name, lambda: comm.read_text().startswith("systemd-socket-"))
                wait_for(
                    subject.name,
                    lambda: b"activate" not in Path(f"/proc/{process.pid}/cmdline").read_bytes(),
                )
        except BenchError as error:
            raise BenchError(f"{error}\n{self.env.log_of(subject.name)}") from None
        subject.process = process

    def measure_idle(self, subject):
        """Measures a fresh process: idle memory, and memory for each pair of used connections."""
        self.start_proxy(subject)
        subject.idle_kib = settled_kib(subject.process)
        # The first calls load code and grow the heap's first arena, which is not memory of a
        # connection.
        load = [self.load, "--socket", subject.socket]
        self.env.generate(load, subject.name, ["--calls", "100"], 5)
        before = settled_kib(subject.process)
        holder = self.env.hold(load, subject.name, ["--connections", IDLE_PAIRS, "--calls", 1])
        subject.pair_bytes = (settled_kib(subject.process) - before) * 1024 / IDLE_PAIRS
        self.env.stop(holder)
        self.env.stop(subject.process)

    def measure_round(self, subject, workload):
        options = self.options
        load = [self.load, "--socket", subject.socket]
        arguments = workload.arguments(options)
        seconds = options.seconds + options.warmup
        result = self.env.generate(load, subject.name, arguments, seconds)
        if result["calls"] == 0:
            raise BenchError(f"{subject.name}: no call came back in time")
        subject.rounds[workload.name].append(result)

    def run(self, names):
        self.start_backend()
        subjects = [Subject(n, self.env.folder / f"{n}.sock") for n in names]
        proxies = [s for s in subjects if s.name != "direct"]
        for subject in subjects:
            if subject.name == "direct":
                subject.socket = self.backend
        for subject in proxies:
            progress(f"memory: {subject.name}")
            self.measure_idle(subject)
        for subject in proxies:
            self.start_proxy(subject)
        for number in range(self.options.rounds):
            # Each round starts with another subject, so that none always runs right after the same
            # one.
            turn = number % len(subjects)
            for workload in WORKLOADS:
                progress(f"round {number + 1} of {self.options.rounds}: {workload.name}")
                for subject in subjects[turn:] + subjects[:turn]:
                    self.measure_round(subject, workload)
        for subject in proxies:
            subject.loaded_kib = settled_kib(subject.process)
        return subjects


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


def print_before(ours, before):
    """Prints every result of this build divided by the other build's, round by round."""
    print("\nttrpc-proxyd compared with the other build: median of the ratios by round (range)\n")
    keys = ["calls_per_second", "p50_us", "p99_us"]
    rows = [
        [workload.name, *(ratio_text(ratios(ours, before, workload, key)) for key in keys)]
        for workload in WORKLOADS
    ]
    print_table(["", "calls/s", "p50", "p99"], rows)
    memory = [("idle", "idle_kib"), ("after load", "loaded_kib"), ("each pair", "pair_bytes")]
    rows = [[name, f"{getattr(ours, key) / getattr(before, key):.2f}"] for name, key in memory]
    print_table(["memory", "ratio"], rows)


def print_memory(subjects):
    print(f"\nResident memory (VmRSS); pairs: {IDLE_PAIRS} connections that made one call each\n")
    rows = [
        [
            s.name,
            f"{s.idle_kib / 1024:.1f}",
            f"{s.loaded_kib / 1024:.1f}",
            f"{s.pair_bytes / 1024:.2f}",
        ]
        for s in subjects
        if s.process
    ]
    print_table(["", "idle MiB", "after load MiB", "each idle pair KiB"], rows)


def print_proxy_targets(by_name):
    """Prints the targets of ttrpc-proxyd, without those against proxies that were not run."""
    ours = by_name.get("ttrpc-proxyd")
    if not ours:
        return
    batch, latency, _, large = WORKLOADS
    speed = [
        (batch, "calls_per_second", "nginx", ">=", 0.9),
        (batch, "calls_per_second", "go", ">=", 6),
        (latency, "p50_us", "nginx", "<=", 1.1),
        (large, "calls_per_second", "nginx", ">=", 1),
    ]
    checks = []
    for workload, key, other, relation, bound in speed:
        if other in by_name:
            values = ratios(ours, by_name[other], workload, key)
            what = f"{'p50' if key == 'p50_us' else 'calls/s'} at {workload.name} : {other}"
            checks.append((what, relation, bound, statistics.median(values), ratio_text(values)))
    idle, pair = ours.idle_kib / 1024, ours.pair_bytes / 1024
    checks.append(("idle MiB", "<=", 8, idle, f"{idle:.1f}"))
    checks.append(("each idle pair KiB", "<=", 3, pair, f"{pair:.2f}"))
    print_targets("ttrpc-proxyd compared with its targets", checks)


def report(subjects, options, elapsed):
    by_name = {s.name: s for s in subjects}
    checked = sum(r["checked"] for s in subjects for rs in s.rounds.values() for r in rs)
    pinned = "generator and backend on CPU 0, proxies on CPU 1" if options.pin else "nothing pinned"
    print(
        f"{options.rounds} interleaved rounds of {options.seconds} s after {options.warmup} s of"
        f" warm-up, {os.cpu_count()} CPUs, {pinned}, {elapsed:.0f} s in all.\n"
        f"Medians over the rounds; ratios by round: median (lowest-highest).\n"
        f"{checked:,} replies, each byte as expected."
    )
    print_speed(subjects, by_name.get(BASELINE))
    print_memory(subjects)
    if BEFORE in by_name and "ttrpc-proxyd" in by_name:
        print_before(by_name["ttrpc-proxyd"], by_name[BEFORE])
    print_proxy_targets(by_name)
    if options.json:
        values = {
            s.name: {
                "rounds": s.rounds,
                "idle_kib": s.idle_kib,
                "loaded_kib": s.loaded_kib,
                "pair_bytes": s.pair_bytes,
            }
            for s in subjects
        }
        Path(options.json).write_text(json.dumps(values, indent=1) + "\n")


# ---- Command line --------------------------------------------------------------------------------


def main():
    names = ["direct", *PROXIES]
    parser = options_parser(__doc__.splitlines()[0], names, DEFAULT_ONLY)
    parser.add_argument(
        "--before",
        type=Path,
        metavar="PROGRAM",
        help="another build of ttrpc-proxyd, to be compared with this one in the same rounds",
    )
    options = parse_options(parser, names, DEFAULT_ONLY)
    if options.before:
        options.only = [*options.only, BEFORE]
    begin = time.monotonic()
    subjects = measure(
        options, WORKLOADS, DESCRIPTORS, lambda env: Bench(env, options).run(options.only)
    )
    report(subjects, options, time.monotonic() - begin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
