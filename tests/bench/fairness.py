#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures one user's calls, one at a time, alone and beside another user's flood; prints tables.

run.sh --fairness builds the programs and starts this one. README.md explains the tables.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench import Bench, Subject
from harness import LOAD_CPU, BenchError, Workload
from harness import accepts, measure, options_parser, parse_options, wait_for
from harness import median, print_table, print_targets, progress, ratio_text, ratios
from proxies import DESCRIPTORS, nginx, ttrpc_proxyd_config

QUIET = Workload("quiet", 1, 1, 64)
FLOODED = Workload("flooded", 1, 1, 64)
WORKLOADS = [QUIET, FLOODED]
FLOOD_CONNECTIONS, FLOOD_IN_FLIGHT = 64, 64

# No user has these ids on any machine we know.
CALLER, FLOODER = 30001, 30002

# The caller and its backend have little work and run first, so that the proxy causes any delay.
PROMPT = -20

FLOOD_LEAD = 0.3  # seconds in which the flood grows
FLOOD_TAIL = 1.0  # seconds by which the flood outlasts the last measured call
NAMES = ["direct", "ttrpc-proxyd", "nginx"]


def ttrpc_proxyd_for_two(env, listen, backend):
    """Configures one listener and a backend for each user."""
    config = env.folder / "ttrpc-proxyd.toml"
    text = ttrpc_proxyd_config(listen, backend, ("root", FLOODER), "the flood")
    text += f"""
[[backend]]
name = "caller's"
address = "unix://{caller_socket(backend)}"

[[rule]]
name = "the caller"
users = [{CALLER}]
methods = ["/bench.Echo/Echo"]
action = "allow"
backend = "caller's"
"""
    env.write(config, text)
    return [env.build / "daemon/ttrpc-proxyd", "--config", config]


def nginx_for_two(env, listen, backend):
    """nginx cannot distinguish users, so each has a socket."""
    return nginx(env, (listen, backend), (caller_socket(listen), caller_socket(backend)))


def caller_socket(path):
    return path.with_name("caller-" + path.name)


class Fairness(Bench):
    def __init__(self, env, options):
        super().__init__(env, options)
        env.folder.chmod(0o711)  # other users must reach the sockets in it
        self.proxies = {"ttrpc-proxyd": ttrpc_proxyd_for_two, "nginx": nginx_for_two}
        self.floods = {}  # by subject, the calls per second of each flood

    def start_backends(self):
        """Starts a backend for each user, so that they compete only for the proxy."""
        self.start_backend()
        echo = self.env.build / "tests/bench/ttrpc-bench-echo"
        socket = caller_socket(self.backend)
        process = self.env.start("echo", [echo, "--socket", socket], LOAD_CPU, PROMPT)
        wait_for("the caller's backend", lambda: accepts(socket), process)

    def start_flood(self, subject):
        seconds = FLOOD_LEAD + self.options.warmup + self.options.seconds + FLOOD_TAIL
        command = [self.load, "--socket", subject.socket, "--user", FLOODER]
        command += ["--connections", FLOOD_CONNECTIONS, "--in-flight", FLOOD_IN_FLIGHT]
        command += ["--seconds", seconds, "--warmup", 0]
        return self.env.start("flood", command, LOAD_CPU, stdout=subprocess.PIPE)

    def end_flood(self, subject, flood):
        """Stops the flood, and fails if one of its replies was wrong."""
        if flood.poll() is not None:
            raise BenchError(f"{subject.name}: the flood did not last\n{self.env.log_of('flood')}")
        output, _ = flood.communicate(timeout=30)
        self.env.stop(flood)
        if flood.returncode != 0:
            self.env.lost(subject.name, "flood")
        self.floods.setdefault(subject.name, []).append(json.loads(output)["calls_per_second"])

    def measure_round(self, subject, workload):
        options = self.options
        socket = subject.socket
        if subject.name != "ttrpc-proxyd":
            socket = caller_socket(socket)
        load = [self.load, "--socket", socket, "--user", CALLER]
        arguments = workload.arguments(options)
        flood = None
        if workload is FLOODED:
            flood = self.start_flood(subject)
            time.sleep(FLOOD_LEAD)
        seconds = options.seconds + options.warmup
        result = self.env.generate(load, subject.name, arguments, seconds, PROMPT)
        if flood is not None:
            self.end_flood(subject, flood)
        if result["calls"] == 0:
            raise BenchError(f"{subject.name}: no call came back in time")
        subject.rounds[workload.name].append(result)

    def run(self, names):
        self.start_backends()
        subjects = []
        for name in names:
            rounds = {w.name: [] for w in WORKLOADS}
            subjects.append(Subject(name, self.env.folder / f"{name}.sock", rounds=rounds))
            if name == "direct":
                subjects[-1].socket = self.backend
            else:
                self.start_proxy(subjects[-1])
            subjects[-1].socket.chmod(0o666)
            if name != "ttrpc-proxyd":
                caller_socket(subjects[-1].socket).chmod(0o666)
        for number in range(self.options.rounds):
            turn = number % len(subjects)
            for subject in subjects[turn:] + subjects[:turn]:
                progress(f"round {number + 1} of {self.options.rounds}: {subject.name}")
                for workload in WORKLOADS:
                    self.measure_round(subject, workload)
        return subjects, self.floods


def growth(subject, key):
    """Returns the ratio of flooded to quiet for each round."""
    pairs = zip(subject.rounds[FLOODED.name], subject.rounds[QUIET.name])
    return [beside[key] / without[key] for beside, without in pairs]


def report(subjects, floods, options, elapsed):
    print(
        f"{options.rounds} interleaved rounds of {options.seconds} s, {os.cpu_count()} CPUs,"
        f" {elapsed:.0f} s in all.\n"
        f"The measured process has CPU 1 for itself, and all others share CPU 0, where the caller"
        f" and its backend run first.\n"
        f"One user calls over 1 connection, 1 call at a time; the flood is another user's"
        f" {FLOOD_CONNECTIONS} connections x {FLOOD_IN_FLIGHT} calls in flight.\n"
        f"Medians over the rounds; ratios by round: median (lowest-highest).\n"
    )
    head = ["", "p50 us", "p99 us", "p50 flooded", "p99 flooded"]
    head += ["p50: times", "p99: times", "flood/s"]
    rows = []
    for subject in subjects:
        values = [median(subject, w, key) for w in WORKLOADS for key in ("p50_us", "p99_us")]
        row = [subject.name] + [f"{value:,.0f}" for value in values]
        row += [ratio_text(growth(subject, key)) for key in ("p50_us", "p99_us")]
        rows.append(row + [f"{statistics.median(floods[subject.name]):,.0f}"])
    print_table(head, rows)
    by_name = {s.name: s for s in subjects}
    ours, theirs = by_name.get("ttrpc-proxyd"), by_name.get("nginx")
    checks = []
    if ours:
        times = growth(ours, "p99_us")
        text = ratio_text(times)
        checks.append(("p99 flooded : without", "<=", 5, statistics.median(times), text))
    if ours and theirs:
        values = ratios(ours, theirs, FLOODED, "p99_us")
        text = ratio_text(values)
        checks.append(("p99 flooded : nginx flooded", "<=", 0.5, statistics.median(values), text))
    print_targets("ttrpc-proxyd compared with its targets", checks)
    if options.json:
        values = {s.name: {"rounds": s.rounds, "floods": floods[s.name]} for s in subjects}
        Path(options.json).write_text(json.dumps(values, indent=1) + "\n")


def main():
    parser = options_parser(__doc__.splitlines()[0], NAMES, NAMES)
    # Without pinning, the scheduler would decide who waits for a CPU, and would be what is
    # measured.
    parser.set_defaults(pin=True)
    options = parse_options(parser, NAMES, NAMES)
    begin = time.monotonic()
    subjects, floods = measure(
        options, WORKLOADS * 3, DESCRIPTORS, lambda env: Fairness(env, options).run(options.only)
    )
    report(subjects, floods, options, time.monotonic() - begin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
