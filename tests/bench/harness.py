# SPDX-License-Identifier: Apache-2.0
"""Code that the benchmarks share: processes and their memory, ratios, tables, options."""

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
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 10
STOP_SECONDS = 3


class BenchError(Exception):
    """There is no result: something did not start, or a call was lost or answered wrongly."""


@dataclass(frozen=True)
class Workload:
    name: str
    connections: int
    in_flight: int
    payload: int

    def title(self):
        size = f"{self.payload // 1024} KiB" if self.payload >= 1024 else f"{self.payload} B"
        return f"{size} payloads, {self.connections} connections x {self.in_flight} in flight"

    def arguments(self, options):
        """Returns the arguments for a load generator."""
        words = ["--connections", self.connections, "--in-flight", self.in_flight]
        words += ["--payload", self.payload]
        return words + ["--seconds", options.seconds, "--warmup", options.warmup]


LOAD_CPU, SUBJECT_CPU = 0, 1  # for --pin: the measured process has CPU 1 for itself

# ---- Processes ---------------------------------------------------------------------------------


class Environment:
    """The temporary directory, and every process started in it."""

    def __init__(self, folder, build, pin):
        self.folder = Path(folder)
        self.build = Path(build).resolve()
        self._pin = pin
        self._running = []

    def write(self, path, text):
        path.write_text(text)
        path.chmod(0o600)

    def _preexec(self, cpu, niceness):
        def preexec():
            if self._pin:
                os.sched_setaffinity(0, {cpu})
            os.nice(niceness)

        return preexec

    def start(self, name, command, cpu, niceness=0, **streams):
        """Starts a process, whose log is NAME.log in the directory unless `streams` has another."""
        try:
            with open(self.folder / f"{name}.log", "ab") as log:
                process = subprocess.Popen(
                    [str(word) for word in command],
                    cwd=self.folder,
                    start_new_session=True,  # to stop workers together with their master
                    preexec_fn=self._preexec(cpu, niceness),
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

    def generate(self, load, name, arguments, seconds, niceness=0):
        """Runs a load generator against `name` until it ends, and returns its result."""
        command = [*load, *arguments]
        process = self.start("load", command, LOAD_CPU, niceness, stdout=subprocess.PIPE)
        try:
            output, _ = process.communicate(timeout=seconds + 30)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{name}: the generator did not end") from None
        finally:
            self.stop(process)
        if process.returncode != 0:
            self.lost(name)
        return json.loads(output)

    def hold(self, load, name, arguments):
        """Starts a load generator that keeps its connections and calls until it is stopped."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        holder = self.start("load", [*load, *arguments, "--hold"], LOAD_CPU, **pipes)
        if not holder.stdout.readline():  # a line comes when all calls are answered
            self.lost(name)
        return holder

    def lost(self, *names):
        logs = [self.log_of(name) for name in ("load", *names, "echo")]
        raise BenchError(f"{names[0]}: " + "\n".join(log for log in logs if log))

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
    """Returns the ids of a process and of all that it has started."""
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
    """Returns resident memory once two samples agree, or after two seconds."""
    last = -1
    for _ in range(20):
        now = resident_kib(process)
        if now == last:
            break
        last = now
        time.sleep(0.1)
    return now


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
    """Returns the ratio of two subjects for each round, in which both ran one after the other."""
    pairs = zip(subject.rounds[workload.name], other.rounds[workload.name])
    return [mine[key] / theirs[key] for mine, theirs in pairs]


def print_targets(title, checks):
    """Prints checks: what, relation, bound, value, the value as a text."""
    print(f"\n{title}\n")
    rows = []
    for what, relation, bound, value, text in checks:
        met = value >= bound if relation == ">=" else value <= bound
        rows.append([what, f"{relation} {bound:.3g}", text, "yes" if met else "NO"])
    print_table(["", "target", "measured", "met"], rows)


def ratio_text(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


# ---- Command line --------------------------------------------------------------------------------


def options_parser(description, names, default):
    parser = argparse.ArgumentParser(prog="run.sh", description=description)
    parser.add_argument("--build", default="build-bench", help="meson build directory")
    without = [name for name in names if name not in default]
    without = f" (default: no {', '.join(without)})" if without else ""
    parser.add_argument("--only", help=f"comma-separated names from: {', '.join(names)}{without}")
    parser.add_argument("--quick", action="store_true", help="short rounds; numbers are rough")
    parser.add_argument("--rounds", type=int, help="how many rounds; default 10, with --quick 3")
    parser.add_argument("--seconds", type=float, help="measured in a round; default 0.7 or 0.25")
    parser.add_argument("--warmup", type=float, help="seconds before that; default 0.1 or 0.05")
    parser.add_argument("--pin", action="store_true", help="measured process on CPU 1, rest on 0")
    parser.add_argument("--json", metavar="FILE", help="write the results of each round")
    return parser


def parse_options(parser, names, default):
    options = parser.parse_args()
    for name, usual, quick in (("rounds", 10, 3), ("seconds", 0.7, 0.25), ("warmup", 0.1, 0.05)):
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else usual)
    options.only = options.only.split(",") if options.only else default
    unknown = set(options.only) - set(names)
    if unknown or options.rounds < 1:
        parser.error(f"unknown: {', '.join(unknown)}" if unknown else "no rounds")
    return options


def measure(options, workloads, descriptors, run):
    """Returns run(environment), or exits. All started processes are stopped in any case."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = descriptors if hard == resource.RLIM_INFINITY else min(descriptors, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    # A signal becomes an exception, so that `finally` below stops the processes.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    measured = options.rounds * len(options.only) * len(workloads)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("error: out of time"))
    signal.alarm(int(120 + 2 * measured * (options.seconds + options.warmup)))
    with tempfile.TemporaryDirectory(prefix="ttrpc-bench-") as folder:
        env = Environment(folder, options.build, options.pin)
        try:
            return run(env)
        except BenchError as error:
            sys.exit(f"error: {error}")
        finally:
            env.stop_all()
