#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures discovery: workloads that come and go, and calls to them; prints two tables.

run.sh --workloads builds the programs and starts this one. README.md explains the tables.

The first part makes fake bundles in memory (/dev/shm), and waits for the daemon's sockets by
listing their directory every few milliseconds. The second part uses the load generator and the echo backend
of the other benchmarks.
"""

import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench import Bench, Subject
from harness import LOAD_CPU, SUBJECT_CPU, BenchError, Workload
from harness import accepts, measure, median, options_parser, parse_options, print_table
from harness import print_targets, progress, ratio_text, ratios, settled_kib, wait_for
from policies import Daemon
from proxies import DESCRIPTORS

NAMESPACE = "k8s.io"
COUNT = 2000
LOOK_SECONDS = 0.005  # how often the sockets are counted
PATIENCE = 60
KIB_EACH = 4  # targets of the first table
SECONDS_ALL = 1
TASK = "bench"
CALLS = Workload("1x1", 1, 1, 64)
PATHS = ["direct", "listener", "front", "all"]

# ---- Bundles -------------------------------------------------------------------------------------


def make_bundle(directory, name, socket):
    """Writes the files of containerd 2.x, in its order."""
    bundle = directory / name
    bundle.mkdir(mode=0o700, parents=True)
    annotations = {"io.kubernetes.cri.sandbox-namespace": "team-a"}
    annotations["io.kubernetes.cri.sandbox-name"] = "web"
    config = {"ociVersion": "1.0.2", "process": {"args": ["sh"]}, "annotations": annotations}
    (bundle / "config.json").write_text(json.dumps(config))
    hidden = bundle / ".bootstrap.json"
    hidden.write_text(f'{{"version":3,"address":"unix://{socket}","protocol":"ttrpc"}}')
    hidden.rename(bundle / "bootstrap.json")


def container_ids(count):
    """Returns ids as long as those under Kubernetes."""
    return [hashlib.sha256(str(i).encode()).hexdigest() for i in range(count)]


def configuration(listeners, rules=""):
    return (
        f'[log]\nlevel = "warn"\n{listeners}'
        '[[backend]]\nname = "shim"\naddress = "discovered"\n'
        '[[rule]]\nname = "root"\nusers = ["root"]\nmethods = ["/containerd.task.v3.Task/*"]\n'
        'annotations = { "io.kubernetes.cri.sandbox-namespace" = "team-*" }\n'
        f'action = "allow"\nbackend = "shim"\nlisteners = {listener_names(listeners)}\n{rules}'
    )


def listener_names(listeners):
    """Returns the names of the listeners that discover, as TOML."""
    tables = listeners.split("[[listener]]")[1:]
    names = [t.split('name = "')[1].split('"')[0] for t in tables if "discover" in t]
    return json.dumps(names)


def discovering(name, address, folder):
    return (
        f'[[listener]]\nname = "{name}"\ndiscover = "containerd"\nstate = "{folder}/state"\n'
        f'address = "unix://{folder}/{address}"\n'
    )


# ---- Coming and going ----------------------------------------------------------------------------


class Follow:
    """One daemon that follows workloads in a directory, for a `with` block."""

    def __init__(self, program, folder, count):
        self.program = program
        self.folder = Path(folder)
        self.count = count
        self.tasks = self.folder / "state/io.containerd.runtime.v2.task"
        self.aside = self.folder / "aside"
        self.ids = container_ids(count)
        self.rows = []
        self.daemon = None
        fronts = discovering("shims", "run/{namespace}/{id}.sock", self.folder)
        limits = "[limits]\ncalls_per_user = 4095\n"
        self.texts = [configuration(head + fronts) for head in ("", limits)]
        (self.folder / "c.toml").write_text(self.texts[0])

    def __enter__(self):
        self.tasks.mkdir(parents=True)
        for name in self.ids:
            make_bundle(self.tasks / NAMESPACE, name, self.folder / "nobody.sock")
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.daemon = Daemon(self.program, self.folder)

    def stop(self):
        if self.daemon:
            self.daemon.__exit__()
            (self.folder / "notify.sock").unlink()  # the next daemon notifies a new one
        self.daemon = None

    def fronts(self):
        try:
            return sum(n.endswith(".sock") for n in os.listdir(self.folder / "run" / NAMESPACE))
        except FileNotFoundError:
            return 0

    def wait_for_fronts(self, count):
        deadline = time.monotonic() + PATIENCE
        while self.fronts() != count:
            if self.daemon.process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"{self.fronts()} sockets instead of {count}")
            time.sleep(LOOK_SECONDS)

    def processor_seconds(self):
        """Returns the processor time of all threads that run."""
        total = 0
        for task in Path(f"/proc/{self.daemon.process.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def resident_kib(self):
        return settled_kib(self.daemon.process)

    def measure(self, name, change, wait):
        """Returns the seconds that all of it took."""
        processor, loop = self.processor_seconds(), self.daemon.loop_seconds()
        begin = time.monotonic()
        change()
        changed = time.monotonic()
        wait()
        seconds = time.monotonic() - begin
        self.add(name, seconds, changed - begin, processor, loop)
        return seconds

    def add(self, name, seconds, script, processor=0.0, loop=0.0):
        processor = self.processor_seconds() - processor
        loop = self.daemon.loop_seconds() - loop
        cells = [f"{seconds:.3f}", f"{script:.3f}", f"{processor:.3f}", f"{loop * 1000:.1f}", ""]
        self.rows.append([name, *cells])

    def come(self):
        self.aside.rename(self.tasks / NAMESPACE)

    def go(self):
        (self.tasks / NAMESPACE).rename(self.aside)

    def make_each(self):
        for name in self.ids:
            make_bundle(self.tasks / NAMESPACE, name, self.folder / "nobody.sock")

    def remove_each(self):
        # containerd hides a bundle before it removes the files.
        for name in self.ids:
            bundle = self.tasks / NAMESPACE / name
            hidden = bundle.with_name("." + name)
            bundle.rename(hidden)
            shutil.rmtree(hidden)

    def reload(self):
        (self.folder / "c.toml").write_text(self.texts[1])
        self.daemon.process.send_signal(signal.SIGHUP)

    def run(self):
        """Returns the slowest of coming and going at once, and the memory for each."""
        progress("start")
        begin = time.monotonic()
        self.start()
        self.wait_for_fronts(self.count)
        started = time.monotonic() - begin
        self.add("start", started, 0.0)
        self.stop()
        self.go()
        self.start()
        before = self.resident_kib()
        progress("at once")
        came = self.measure("come at once", self.come, lambda: self.wait_for_fronts(self.count))
        each = (self.resident_kib() - before) / self.count
        self.rows[-1][-1] = f"{each:.2f}"
        self.measure("reload", self.reload, self.daemon.wait)
        if self.fronts() != self.count:
            raise BenchError("the reload lost sockets")
        went = self.measure("go at once", self.go, lambda: self.wait_for_fronts(0))
        shutil.rmtree(self.aside)
        progress("one by one")
        (self.tasks / NAMESPACE).mkdir()
        self.measure("come one by one", self.make_each, lambda: self.wait_for_fronts(self.count))
        self.measure("go one by one", self.remove_each, lambda: self.wait_for_fronts(0))
        return max(started, came, went), each


def follow(program, count):
    # Paths are short, since a socket's path has room for 107 bytes.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        with Follow(program, folder, count) as follower:
            slowest, each = follower.run()
            return follower.rows, slowest, each


# ---- Latency -------------------------------------------------------------------------------------


class Latency(Bench):
    def socket_of(self, name):
        paths = {"direct": self.backend, "front": self.env.folder / f"run/{NAMESPACE}/{TASK}.sock"}
        return paths.get(name, self.env.folder / f"{name}.sock")

    def start_daemon(self):
        folder = self.env.folder
        plain = f'[[listener]]\nname = "listener"\naddress = "unix://{folder}/listener.sock"\n'
        listeners = discovering("front", "run/{namespace}/{id}.sock", folder)
        listeners += discovering("all", "all.sock", folder) + plain
        to_echo = (
            f'[[backend]]\nname = "echo"\naddress = "unix://{self.backend}"\n'
            '[[rule]]\nname = "echo"\nusers = ["root"]\nmethods = ["/containerd.task.v3.Task/*"]\n'
            'listeners = ["listener"]\naction = "allow"\nbackend = "echo"\n'
        )
        config = folder / "c.toml"
        self.env.write(config, configuration(listeners, to_echo))
        tasks = folder / "state/io.containerd.runtime.v2.task"
        make_bundle(tasks / NAMESPACE, TASK, self.backend)
        program = self.env.build / "daemon/ttrpc-proxyd"
        command = [program, "--config", config]
        process = self.env.start("ttrpc-proxyd", command, SUBJECT_CPU)
        try:
            for name in PATHS:
                wait_for(name, lambda name=name: accepts(self.socket_of(name)), process)
            wait_for("the task", self.knows_the_task, process)
        except BenchError as error:
            raise BenchError(f"{error}\n{self.env.log_of('ttrpc-proxyd')}") from None

    def command(self, socket):
        return [self.load, "--socket", socket, "--task", TASK, "--namespace", NAMESPACE]

    def knows_the_task(self):
        """The socket for all accepts before the daemon has read the bundle."""
        try:
            self.env.generate(self.command(self.socket_of("all")), "all", ["--calls", 1], 1)
        except BenchError:
            return False
        return True

    def measure_round(self, subject, workload):
        options = self.options
        load = self.command(subject.socket)
        seconds = options.seconds + options.warmup
        arguments = workload.arguments(options)
        result = self.env.generate(load, subject.name, arguments, seconds)
        if result["calls"] == 0:
            raise BenchError(f"{subject.name}: no call came back in time")
        subject.rounds[workload.name].append(result)

    def run(self, names):
        self.start_backend()
        self.start_daemon()
        subjects = [Subject(n, self.socket_of(n), rounds={CALLS.name: []}) for n in names]
        for number in range(self.options.rounds):
            progress(f"round {number + 1} of {self.options.rounds}")
            turn = number % len(subjects)
            for subject in subjects[turn:] + subjects[:turn]:
                self.measure_round(subject, CALLS)
        return subjects


# ---- Tables --------------------------------------------------------------------------------------


def report_following(rows, slowest, each, count):
    print(f"{count:,} workloads without connections, {os.cpu_count()} CPUs.\n")
    head = ["", "seconds", "of these the script", "CPU s", "loop ms", "KiB each"]
    print_table(head, rows)
    checks = [
        ("start, come, go at once: seconds", "<=", SECONDS_ALL, slowest, f"{slowest:.3f}"),
        ("memory of each: KiB", "<=", KIB_EACH, each, f"{each:.2f}"),
    ]
    print_targets("Targets", checks)


def report_latency(subjects, options):
    checked = sum(r["checked"] for s in subjects for r in s.rounds[CALLS.name])
    print(
        f"\n{options.rounds} rounds of {options.seconds} s. {CALLS.title()}."
        f" {checked:,} replies, each byte as expected.\n"
    )
    base = next((s for s in subjects if s.name == "listener"), None)
    keys = ["calls_per_second", "p50_us", "p99_us"]
    head = ["", "calls/s", "p50 us", "p99 us"] + (["p50 : listener"] if base else [])
    rows = []
    for subject in subjects:
        row = [subject.name, f"{median(subject, CALLS, keys[0]):,.0f}"]
        row += [f"{median(subject, CALLS, key):.1f}" for key in keys[1:]]
        if base:
            row.append(ratio_text(ratios(subject, base, CALLS, "p50_us")))
        rows.append(row)
    print_table(head, rows)


def main():
    parser = options_parser(__doc__.splitlines()[0], PATHS, PATHS)
    parser.add_argument("--count", type=int, default=COUNT, help="how many workloads")
    options = parse_options(parser, PATHS, PATHS)

    def run(env):
        followed = follow(str(env.build / "daemon/ttrpc-proxyd"), options.count)
        return followed, Latency(env, options).run(options.only)

    (rows, slowest, each), subjects = measure(options, [CALLS], DESCRIPTORS, run)
    report_following(rows, slowest, each, options.count)
    report_latency(subjects, options)
    if options.json:
        values = {"following": rows, "latency": {s.name: s.rounds[CALLS.name] for s in subjects}}
        Path(options.json).write_text(json.dumps(values, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
