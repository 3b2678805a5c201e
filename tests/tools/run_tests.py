#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of a meson build, and counts test cases rather than executables.

    run_tests.py BUILD LOGS [--only DIR] [--except DIR] [--sanitized] [--subjects BUILD]

Each executable runs with the environment and timeout of its meson.build, and has a log of its own.
Those with `is_parallel: false` run alone, after the others. A GoogleTest executable counts once for
each of its cases, any other once. A crash, a timeout, and a non-zero exit without a failed case are
failures, too. With --sanitized, so is each report of a sanitizer, even on a daemon that a test
started. With --subjects, the tests of BUILD test the programs of another build: each variable that
names a program of BUILD then names the one of that build.

The last line is `N passed, N failed, N skipped`; the exit status is 1 if anything failed.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import xml.etree.ElementTree

TAIL_LINES = 60
SANITIZED_TIMEOUT_FACTOR = 5
TSAN_SUPPRESSIONS = pathlib.Path(__file__).resolve().with_name("tsan.supp")


class Outcome:
    """The result of one executable: counts, and lines to print about it."""

    def __init__(self, name):
        self.name = name
        self.passed = 0
        self.skipped = 0
        self.failures = []
        self.notes = []


def sanitizer_environment(log_path):
    # log_path keeps reports out of standard error, which belongs to the test. g++'s UBSan does not
    # know log_path. It ends the process, and the test whose daemon ends fails.
    return {
        "ASAN_OPTIONS": f"detect_leaks=1:log_path={log_path}",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        "TSAN_OPTIONS": f"log_path={log_path}:suppressions={TSAN_SUPPRESSIONS}",
    }


def run_to_end(test, environment, log, factor):
    """Returns the exit status, or None after a timeout, which kills all processes of the test."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            test["cmd"], cwd=test["workdir"], env=environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            return process.wait(timeout=test["timeout"] * factor if test["timeout"] > 0 else None)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return None


def count_cases(report, outcome):
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None:
            outcome.failures.append(name)
        elif skip is not None or case.get("status") != "run":
            reason = "disabled" if skip is None else skip.get("message", "").strip()
            outcome.skipped += 1
            outcome.notes.append(f"SKIPPED {name}: {' '.join(reason.split())}")
        else:
            outcome.passed += 1


def run(test, logs, sanitized):
    # The directory is part of the name, since tests/ mirrors the sources, where a file name may
    # occur twice.
    name = f"{pathlib.Path(test['cmd'][0]).parent.name}_{test['name']}".replace("/", "_")
    outcome = Outcome(test["name"])
    log = logs / f"{name}.log"
    report = logs / f"{name}.xml"
    for stale in [report, *logs.glob(f"{name}.sanitizer.*")]:
        stale.unlink(missing_ok=True)

    environment = {**os.environ, **test["env"], "GTEST_OUTPUT": f"xml:{report}"}
    if sanitized:
        environment.update(sanitizer_environment(logs / f"{name}.sanitizer"))
    status = run_to_end(test, environment, log, SANITIZED_TIMEOUT_FACTOR if sanitized else 1)

    if report.exists():
        count_cases(report, outcome)
        if status != 0 and not outcome.failures:
            outcome.failures.append(f"all cases passed, but exit status {status}")
    elif status is None:
        outcome.failures.append("timeout")
    elif status != 0:
        outcome.failures.append(f"exit status {status}")
    elif test["protocol"] == "gtest":
        outcome.failures.append("ended without a report")
    else:
        outcome.passed += 1

    if sanitized and b"runtime error: " in log.read_bytes():
        outcome.failures.append("undefined behaviour, see its log")
    if outcome.failures:
        tail = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        outcome.notes += [f"--- {log}", *tail, "---"]
    for finding in sorted(logs.glob(f"{name}.sanitizer.*")):
        outcome.failures.append(f"sanitizer report {finding.name}")
        outcome.notes += [f"--- {finding}", *finding.read_text(errors="replace").splitlines(), "---"]
    return outcome


def run_all(tests, arguments):
    def one(test):
        return run(test, arguments.logs, arguments.sanitized)

    together = [test for test in tests if test["is_parallel"]]
    alone = [test for test in tests if not test["is_parallel"]]
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        yield from pool.map(one, together)
    yield from map(one, alone)


def selected(test, arguments):
    executable = pathlib.Path(test["cmd"][0])
    if arguments.only and not executable.is_relative_to(arguments.build / arguments.only):
        return False
    return not (arguments.without and executable.is_relative_to(arguments.build / arguments.without))


def in_build(value, build, other):
    """Maps a path below one build to the other build; returns anything else unchanged."""
    path = pathlib.Path(value)
    return str(other / path.relative_to(build)) if path.is_relative_to(build) else value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("logs", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--only", help="executables in this directory of the build")
    parser.add_argument("--except", dest="without", help="executables outside this directory")
    parser.add_argument("--sanitized", action="store_true")
    parser.add_argument("--subjects", type=lambda path: pathlib.Path(path).resolve())
    arguments = parser.parse_args()
    arguments.logs.mkdir(parents=True, exist_ok=True)

    listing = subprocess.run(["meson", "introspect", "--tests", arguments.build],
                             check=True, stdout=subprocess.PIPE)
    tests = [test for test in json.loads(listing.stdout) if selected(test, arguments)]
    for test in tests:  # meson runs each test here, so relative paths in its command start here
        test["workdir"] = test["workdir"] or arguments.build
        if arguments.subjects:
            test["env"] = {name: in_build(value, arguments.build, arguments.subjects)
                           for name, value in test["env"].items()}
    passed = failed = skipped = 0
    for outcome in run_all(tests, arguments):
        passed += outcome.passed
        failed += len(outcome.failures)
        skipped += outcome.skipped
        print(f"{outcome.name}: {outcome.passed} passed, {len(outcome.failures)} failed, "
              f"{outcome.skipped} skipped", *outcome.notes, sep="\n")
        for failure in outcome.failures:
            print(f"FAILED {outcome.name}: {failure}")
        sys.stdout.flush()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
