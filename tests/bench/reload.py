#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures calls through ttrpc-proxyd with and without reloads; prints a table.

run.sh --reload builds the programs and starts this one. README.md explains the table.
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
    """For a `with` block: writes another good file and sends SIGHUP, again and again."""

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
            following.rename(config)  # in one step, since the daemon may read it at any time
            self.process.send_signal(signal.SIGHUP)


class Reload(Bench):
    def run(self, _names):
        self.start_backend()
        rounds = {w.name: [] for w in WORKLOADS}
        subject = Subject(NAME, self.env.folder / f"{NAME}.sock", rounds=rounds)
        self.start_proxy(subject)
        # The second text has another rule and one more user. The policy changes, but the calls stay
        # allowed.
        texts = [
            ttrpc_proxyd_config(subject.socket, self.backend),
            ttrpc_proxyd_config(subject.socket, self.backend, rule="others", users=("root", 30001)),
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
        logged = sum("reload" in line for line in log.splitlines())
        return subject, reloads, logged


def report(subject, reloads, logged, options, elapsed):
    checked = sum(r["checked"] for rounds in subject.rounds.values() for r in rounds)
    print(
        f"{options.rounds} rounds of {options.seconds} s each way, {os.cpu_count()} CPUs,"
        f" {elapsed:.0f} s in all. {STEADY.title()}.\n"
        f"{checked:,} replies, each byte as expected: no call failed.\n"
        f"{reloads} SIGHUPs with another good file, {RELOADS_PER_SECOND} a second;"
        f" {logged} lines of the daemon's log report a reload.\n"
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
    subject, reloads, logged = measure(
        options, WORKLOADS, DESCRIPTORS, lambda env: Reload(env, options).run(options.only)
    )
    report(subject, reloads, logged, options, time.monotonic() - begin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
