#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls through ttrpc-proxyd while it is told to reload, and while it is not; prints a table.

run.sh --reload builds what this needs and starts it. README.md says how to read what comes out.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from bench import Bench, Subject
from harness import Workload, measure, median, options_parser, parse_options
from harness import print_table, progress, ratio_text
from proxies import DESCRIPTORS, ttrpc_proxyd_config

STEADY = Workload("steady", 16, 8, 64)
RELOADING = Workload("reloading", 16, 8, 64)
WORKLOADS = [STEADY, RELOADING]
RELOADS_PER_SECOND = 10
NAME = "ttrpc-proxyd"


class Reloader:
    """Within `with`: writes another good file and sends SIGHUP, again and again."""

    def __init__(self, env, process, texts):
        self.env = env
        self.process = process
        self.texts = texts
        self.count = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()

    def run(self):
        config = self.env.folder / f"{NAME}.toml"
        while not self.stopped.wait(1 / RELOADS_PER_SECOND):
            self.count += 1
            following = config.with_suffix(".next")
            self.env.write(following, self.texts[self.count % len(self.texts)])
            following.rename(config)  # it may be read at any time
            self.process.send_signal(signal.SIGHUP)


class Reload(Bench):
    def run(self, _names):
        self.start_backend()
        rounds = {w.name: [] for w in WORKLOADS}
        subject = Subject(NAME, self.env.folder / f"{NAME}.sock", rounds=rounds)
        self.start_proxy(subject)
        # Another rule, and one more user: the policy is made anew, the calls are still allowed.
        texts = [
            ttrpc_proxyd_config(subject.socket, self.backend),
            ttrpc_proxyd_config(subject.socket, self.backend, rule="these, too", users=("root", 30001)),
        ]
        reloads = 0
        for number in range(self.options.rounds):
            progress(f"round {number + 1} of {self.options.rounds}")
            for workload in WORKLOADS[:: 1 if number % 2 == 0 else -1]:
                if workload is STEADY:
                    self.measure_round(subject, workload)
                    continue
                with Reloader(self.env, subject.process, texts) as reloader:
                    self.measure_round(subject, workload)
                reloads += reloader.count
        log = (self.env.folder / f"{NAME}.log").read_text(errors="replace")
        told = sum("reload" in line for line in log.splitlines())
        return subject, reloads, told


def report(subject, reloads, told, options, elapsed):
    checked = sum(r["checked"] for rounds in subject.rounds.values() for r in rounds)
    print(
        f"{options.rounds} rounds of {options.seconds} s each way, {os.cpu_count()} CPUs,"
        f" {elapsed:.0f} s in all. {STEADY.title()}.\n"
        f"{checked:,} replies, each byte as expected: no call failed.\n"
        f"{reloads} times SIGHUP with another good file, {RELOADS_PER_SECOND} a second;"
        f" {told} lines of the daemon's log speak of a reload.\n"
    )
    keys = ["calls_per_second", "p50_us", "p99_us", "p999_us", "max_us"]
    rows = [[w.name] + [f"{median(subject, w, key):,.0f}" for key in keys] for w in WORKLOADS]
    quotients = []
    for key in keys:
        pairs = zip(subject.rounds[RELOADING.name], subject.rounds[STEADY.name])
        quotients.append(ratio_text([ours[key] / base[key] for ours, base in pairs]))
    print_table(
        ["", "calls/s", "p50 us", "p99 us", "p99.9 us", "max us"],
        [*rows, ["reloading : steady", *quotients]],
    )
    if options.json:
        Path(options.json).write_text(json.dumps(subject.rounds, indent=1) + "\n")


def main():
    parser = options_parser(__doc__.splitlines()[0], [NAME], [NAME])
    options = parse_options(parser, [NAME], [NAME])
    begin = time.monotonic()
    subject, reloads, told = measure(
        options, WORKLOADS, DESCRIPTORS, lambda env: Reload(env, options).run(options.only)
    )
    report(subject, reloads, told, options, time.monotonic() - begin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
