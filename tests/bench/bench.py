#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the load generator against the echo backend, directly and through each proxy; prints tables.

run.sh builds what this needs and starts it. Everything it starts ends with it, and its files lie in
one temporary folder. README.md says how to read what comes out.
"""

import argparse
import json
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from proxies import DEFAULT_ONLY, DESCRIPTORS, PROXIES

BASELINE = "nginx"
IDLE_PAIRS = 2000
START_SECONDS = 10
STOP_SECONDS = 3


class BenchError(Exception):
    """No result: something did not start, or a call was lost or answered wrongly."""


@dataclass(frozen=True)
class Workload:
    name: str
    connections: int
    in_flight: int
    payload: int

    def title(self):
        size = f"{self.payload // 1024} KiB" if self.payload >= 1024 else f"{self.payload} B"
        return f"{size} payloads, {self.connections} connections x {self.in_flight} in flight"


WORKLOADS = [
    Workload("16x8", 16, 8, 64),
    Workload("1x1", 1, 1, 64),
    Workload("64x1", 64, 1, 64),
    Workload("64KiB", 4, 4, 64 * 1024),
]

# ---- Processes ---------------------------------------------------------------------------------


class Environment:
    """The temporary folder, and every process started in it."""

    def __init__(self, folder, build, pin):
        self.folder = Path(folder)
        self.build = Path(build).resolve()
        self._pin = pin
        self._running = []

    def write(self, path, text):
        path.write_text(text)
        path.chmod(0o600)

    def _preexec(self, cpu):
        return (lambda: os.sched_setaffinity(0, {cpu})) if self._pin else None

    def start(self, name, command, cpu, **streams):
        """The log of a process is NAME.log in the folder, unless `streams` says otherwise."""
        try:
            with open(self.folder / f"{name}.log", "ab") as log:
                process = subprocess.Popen(
                    [str(word) for word in command],
                    cwd=self.folder,
                    start_new_session=True,  # so that workers can be stopped with their master
                    preexec_fn=self._preexec(cpu),
                    **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **streams},
                )
        except OSError as error:
            raise BenchError(f"cannot start {name}: {error}") from None
        self._running.append(process)
        return process

    def stop(self, process):
        if process not in self._running:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()
        self._running.remove(process)

    def stop_all(self):
        for process in list(reversed(self._running)):
            self.stop(process)

    def log_of(self, name):
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace").strip()[-2000:] if path.exists() else ""


def wait_for(what, condition, process=None):
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if process is not None and process.poll() is not None:
            raise BenchError(f"{what}: exited with {process.returncode}")
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: not within {START_SECONDS} s")
        time.sleep(0.01)


def accepts(path):
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def tree(pid):
    """A process and what it has started."""
    pids = [pid]
    for known in pids:
        try:
            pids += map(int, Path(f"/proc/{known}/task/{known}/children").read_text().split())
        except FileNotFoundError:
            pass
    return pids


def resident_kib(process):
    total = 0
    for pid in tree(process.pid):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total


def settled_kib(process):
    """Resident memory once two looks at it agree, or after two seconds."""
    last = -1
    for _ in range(20):
        now = resident_kib(process)
        if now == last:
            break
        last = now
        time.sleep(0.1)
    return now


# ---- Measuring -----------------------------------------------------------------------------------


@dataclass
class Subject:
    """A proxy, or nothing (`direct`), and what was measured of it."""

    name: str
    socket: Path
    process: subprocess.Popen = None
    rounds: dict = field(default_factory=lambda: {w.name: [] for w in WORKLOADS})
    idle_kib: int = None
    loaded_kib: int = None
    pair_bytes: float = None


class Bench:
    LOAD_CPU, PROXY_CPU = 0, 1  # with --pin; the backend is beside the generator

    def __init__(self, env, options):
        self.env = env
        self.options = options
        self.backend = env.folder / "echo.sock"
        self.load = env.build / "tests/bench/ttrpc-bench-load"

    def start_backend(self):
        echo = self.env.build / "tests/bench/ttrpc-bench-echo"
        process = self.env.start("echo", [echo, "--socket", self.backend], self.LOAD_CPU)
        wait_for("echo backend", lambda: accepts(self.backend), process)

    def start_proxy(self, subject):
        """Starts a proxy and waits until it accepts."""
        subject.socket.unlink(missing_ok=True)
        command = PROXIES[subject.name](self.env, subject.socket, self.backend)
        process = self.env.start(subject.name, command, self.PROXY_CPU)
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

    def lost(self, subject):
        logs = [self.env.log_of(name) for name in ("load", subject.name, "echo")]
        raise BenchError(f"{subject.name}: " + "\n".join(log for log in logs if log))

    def generate(self, subject, arguments, seconds):
        """One run of the generator to its end; gives its result."""
        command = [self.load, "--socket", subject.socket, *arguments]
        process = self.env.start("load", command, self.LOAD_CPU, stdout=subprocess.PIPE)
        try:
            output, _ = process.communicate(timeout=seconds + 30)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{subject.name}: the generator did not end") from None
        finally:
            self.env.stop(process)
        if process.returncode != 0:
            self.lost(subject)
        return json.loads(output)

    def measure_idle(self, subject):
        """Memory of a fresh process: idle, and for each pair of connections that made one call."""
        self.start_proxy(subject)
        subject.idle_kib = settled_kib(subject.process)
        # The first calls bring in code and grow the heap's first arena; that is not per connection.
        self.generate(subject, ["--calls", "100"], 5)
        before = settled_kib(subject.process)
        command = [self.load, "--socket", subject.socket, "--hold"]
        command += ["--connections", IDLE_PAIRS, "--calls", 1]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        holder = self.env.start("load", command, self.LOAD_CPU, **pipes)
        if not holder.stdout.readline():  # printed when all calls are done; the process ends if not
            self.lost(subject)
        subject.pair_bytes = (settled_kib(subject.process) - before) * 1024 / IDLE_PAIRS
        self.env.stop(holder)
        self.env.stop(subject.process)

    def measure_round(self, subject, workload):
        options = self.options
        arguments = ["--connections", workload.connections, "--in-flight", workload.in_flight]
        arguments += ["--payload", workload.payload]
        arguments += ["--seconds", options.seconds, "--warmup", options.warmup]
        result = self.generate(subject, arguments, options.seconds + options.warmup)
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
            # Each round starts with another one, so that none always follows the same neighbour's
            # warm caches or the same pause.
            turn = number % len(subjects)
            for workload in WORKLOADS:
                progress(f"round {number + 1} of {self.options.rounds}: {workload.name}")
                for subject in subjects[turn:] + subjects[:turn]:
                    self.measure_round(subject, workload)
        for subject in proxies:
            subject.loaded_kib = settled_kib(subject.process)
        return subjects


# ---- Tables --------------------------------------------------------------------------------------


def progress(text):
    print(f"  {text}", file=sys.stderr, flush=True)


def print_table(head, rows):
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, ["-" * w for w in widths], *rows]:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        print("| " + " | ".join(cells) + " |")


def median(subject, workload, key):
    return statistics.median(r[key] for r in subject.rounds[workload.name])


def ratios(subject, other, workload, key):
    """By round: what both did within the same seconds."""
    pairs = zip(subject.rounds[workload.name], other.rounds[workload.name])
    return [mine[key] / theirs[key] for mine, theirs in pairs]


def ratio_text(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


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


def print_targets(by_name):
    """What ttrpc-proxyd is to reach; lines whose other side was not run are left out."""
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
    print("\nttrpc-proxyd against its targets\n")
    rows = []
    for what, relation, bound, value, text in checks:
        met = value >= bound if relation == ">=" else value <= bound
        rows.append([what, f"{relation} {bound}", text, "yes" if met else "NO"])
    print_table(["", "target", "measured", "met"], rows)


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
    print_targets(by_name)
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


def parse_options():
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build-bench", help="meson build folder")
    names = ", ".join(["direct", *PROXIES])
    parser.add_argument("--only", help=f"comma-separated, of: {names} (default: no go-shared)")
    parser.add_argument("--quick", action="store_true", help="short rounds; numbers are rough")
    parser.add_argument("--rounds", type=int, help="default 10, with --quick 3")
    parser.add_argument("--seconds", type=float, help="measured in each; default 0.7 or 0.25")
    parser.add_argument("--warmup", type=float, help="before that; default 0.1 or 0.05")
    parser.add_argument("--pin", action="store_true", help="proxy on CPU 1, the rest on CPU 0")
    parser.add_argument("--json", metavar="FILE", help="write what each round measured")
    options = parser.parse_args()
    for name, usual, quick in (("rounds", 10, 3), ("seconds", 0.7, 0.25), ("warmup", 0.1, 0.05)):
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else usual)
    options.only = options.only.split(",") if options.only else DEFAULT_ONLY
    unknown = set(options.only) - {"direct", *PROXIES}
    if unknown or options.rounds < 1:
        parser.error(f"unknown: {', '.join(unknown)}" if unknown else "no rounds")
    return options


def main():
    options = parse_options()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    # A signal becomes an exception, so that `finally` below stops what runs.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    begin = time.monotonic()
    measured = options.rounds * len(options.only) * len(WORKLOADS)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("error: out of time"))
    signal.alarm(int(120 + 2 * measured * (options.seconds + options.warmup)))
    with tempfile.TemporaryDirectory(prefix="ttrpc-bench-") as folder:
        env = Environment(folder, options.build, options.pin)
        try:
            subjects = Bench(env, options).run(options.only)
        except BenchError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        finally:
            env.stop_all()
    report(subjects, options, time.monotonic() - begin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
