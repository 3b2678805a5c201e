#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the checks of run.sh: metrics_test.py BUILD"""

import hashlib
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
# pylint: disable=wrong-import-position
from stage import ALICE, BOB, INVALID_ARGUMENT, MALLORY, OK, PERMISSION_DENIED, SIGHUP, SIGTERM
from stage import UNAVAILABLE, Checks, Client, Stage, eventually, free_port

STRANGER = 30009  # a user that no rule admits

SCRAPE_CONFIG = """
scrape_configs:
  - job_name: proxy
    scrape_interval: 1s
    scrape_timeout: 1s
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


MONITORING = Path(__file__).resolve().parents[2] / "config/monitoring"
METRIC = re.compile(r"\b(?:ttrpc_proxy|process)_[a-z_]+\b")


def expressions_of_dashboard():
    """Returns the queries of the dashboard as Grafana sends them, with the names of the panels."""
    board = json.loads((MONITORING / "ttrpc-proxy.dashboard.json").read_text())
    return [(panel["title"], target["expr"].replace("$job", ".*").replace("$instance", ".*").replace(
        "$__rate_interval", "1m")) for panel in board["panels"] for target in panel.get("targets", [])]


class Prometheus:
    """Debian's Prometheus with its own data, port and target, independent of the machine's."""

    def __init__(self, stage):
        self._base = f"http://127.0.0.1:{free_port()}"
        config = stage.folder / "prometheus.yml"
        config.write_text(SCRAPE_CONFIG.format(port=stage.port))
        self._process = stage.start(
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={stage.folder}/tsdb",
            f"--web.listen-address={self._base[len('http://'):]}", "--log.level=warn")
        eventually("prometheus is ready", self._ready)

    def _ready(self):
        if self._process.poll() is not None:
            raise AssertionError("prometheus has ended")
        try:
            return self.query("vector(1)")
        except OSError:
            return False

    def query(self, text):
        """Returns a list of labels and values."""
        url = f"{self._base}/api/v1/query?" + urllib.parse.urlencode({"query": text})
        with urllib.request.urlopen(url, timeout=30) as reply:
            result = json.load(reply)["data"]["result"]
        return [(entry["metric"], float(entry["value"][1])) for entry in result]

    def value(self, text):
        """Returns the value of the only sample, or None."""
        found = self.query(text)
        return found[0][1] if len(found) == 1 else None

    def by(self, label, text):
        return {labels.get(label, ""): value for labels, value in self.query(text)}

    def wait_for_scrape(self):
        """Waits for a scrape that begins after this call."""
        now = time.time()
        eventually("prometheus scrapes", lambda: (self.value("timestamp(up)") or 0) > now)


def calls(client, count, wanted, service, method):
    for _ in range(count):
        code = client.call(service, method)
        if code != wanted:
            raise AssertionError(f"/{service}/{method} ended with {code}, not {wanted}")
    return count


class Scene:
    def __init__(self, checks, stage):
        self.checks = checks
        self.stage = stage
        self.prometheus = None
        self.ok = self.denied = self.unmatched = self.unavailable = self.invalid = 0
        self.connections = self.turned_away = self.echoing = 0

    def scrape(self):
        self.prometheus = Prometheus(self.stage)
        self.prometheus.wait_for_scrape()
        self.checks.equal("target is up", 1.0, self.prometheus.value("up"))

    def load(self):
        """Makes calls for a time or by number, some of which are denied. The callers count them."""
        stage = self.stage
        plans = [(ALICE, 8, ["--in-flight", 4, "--seconds", 4]),
                 (BOB, 3, ["--in-flight", 2, "--calls", 700]),
                 (MALLORY, 2, ["--in-flight", 3, "--calls", 400, "--status", PERMISSION_DENIED])]
        loads = [(user, stage.load("--user", user, "--connections", count, *options))
                 for user, count, options in plans]
        for user, load in loads:
            checked = stage.result_of(load)["checked"]
            self.ok += checked if user != MALLORY else 0
            self.denied += checked if user == MALLORY else 0
        self.connections = sum(count for _, count, _ in plans)
        self.echoing = sum(count for user, count, _ in plans if user != MALLORY)
        self.checks.equal("denied as often as asked", 800, self.denied)

    def others(self):
        """Makes calls that the load generator cannot make."""
        clients = [Client(self.stage.front, uid) for uid in (BOB, 0, MALLORY)]
        self.connections += len(clients)
        bob, root, mallory = clients
        self.unmatched = calls(bob, 17, PERMISSION_DENIED, "bench.Other", "Do")
        self.unavailable = calls(root, 5, UNAVAILABLE, "bench.Gone", "Do")
        self.ok += calls(root, 3, OK, "bench.Echo", "Echo")
        self.echoing += 1
        self.invalid = calls(mallory, 7, INVALID_ARGUMENT, "no/name", "Do")
        for client in clients:
            client.close()
        for _ in range(2):
            turned_away = Client(self.stage.front, STRANGER)
            self.turned_away += 1
            try:
                turned_away.call("bench.Echo", "Echo")
            except (AssertionError, OSError):
                turned_away.close()
                continue
            raise AssertionError("a stranger was let in")

    def everyone_is_gone(self):
        eventually("no connection is left",
                   lambda: b'\nttrpc_proxy_connections{listener="front"} 0\n' in self.stage.get("/metrics")[1])
        self.prometheus.wait_for_scrape()

    def counters(self):
        """Compares the samples of Prometheus with the counts of the callers, which must be equal."""
        ask, equal = self.prometheus, self.checks.equal
        codes = ask.by("code", "sum by (code) (ttrpc_proxy_calls_total)")
        equal("calls, by code", {
            "OK": self.ok, "PERMISSION_DENIED": self.denied + self.unmatched,
            "UNAVAILABLE": self.unavailable}, codes)
        equal("calls of Echo", self.ok, ask.value(
            'ttrpc_proxy_calls_total{listener="front",backend="echo",service="bench.Echo",method="Echo",code="OK"}'))
        equal("decisions, by rule", {
            "these may echo": self.ok, "never mallory": self.denied, "nobody is there": self.unavailable,
            "": self.unmatched}, ask.by("rule", "sum by (rule) (ttrpc_proxy_decisions_total) > 0"))
        equal("decisions, by action", {
            "allow": self.ok + self.unavailable, "deny": self.denied + self.unmatched},
            ask.by("action", "sum by (action) (ttrpc_proxy_decisions_total)"))
        equal("connections, by result", {
            "admitted": self.connections, "not_admitted": self.turned_away, "no_credentials": 0,
            "over_limit": 0}, ask.by("result", 'ttrpc_proxy_connections_total{listener="front"}'))
        equal("connections of the other listener", 0,
              ask.value('sum(ttrpc_proxy_connections_total{listener="side"})'))
        equal("durations", self.ok, ask.value('ttrpc_proxy_call_duration_seconds_count{backend="echo"}'))
        equal("durations, in the last bucket", self.ok,
              ask.value('ttrpc_proxy_call_duration_seconds_bucket{backend="echo",le="+Inf"}'))
        equal("connects", {"connected": self.echoing, "failed": 0},
              ask.by("result", 'ttrpc_proxy_backend_connects_total{backend="echo"}'))
        equal("failed connects", {"connected": 0, "failed": self.unavailable},
              ask.by("result", 'ttrpc_proxy_backend_connects_total{backend="gone"}'))
        # No call has used the third backend.
        equal("backends up", {"echo": 1, "gone": 0}, ask.by("backend", "ttrpc_proxy_backend_up"))
        equal("calls are in flight nowhere", {"echo": 0, "gone": 0, "holder": 0},
              ask.by("backend", "ttrpc_proxy_oldest_call_age_seconds"))
        equal("calls in flight", 0, ask.value("sum(ttrpc_proxy_calls_in_flight)"))
        # A request without a valid method name is not a call.
        equal("protocol errors", self.invalid, ask.value("sum(ttrpc_proxy_protocol_errors_total)"))
        equal("limits", 0, ask.value("sum(ttrpc_proxy_limit_refusals_total)"))
        equal("a limit", 64, ask.value('ttrpc_proxy_limit{limit="calls_per_user"}'))
        equal("no limit", float("inf"), ask.value('ttrpc_proxy_limit{limit="requests_per_second_per_user"}'))
        equal("timeouts", {"first_request": 0, "partial_message": 0, "idle": 0, "write": 0, "backend_write": 0},
              ask.by("kind", "sum by (kind) (ttrpc_proxy_timeouts_total)"))
        equal("draining", 0, ask.value("ttrpc_proxy_draining"))
        equal("audit", 0, ask.value("ttrpc_proxy_audit_failing"))
        equal("reloads", 0, ask.value("sum(ttrpc_proxy_reloads_total)"))
        equal("the start counts as a load", 1, ask.value("ttrpc_proxy_config_last_reload_successful"))
        outcomes = self.stage.status()["outcomes"]
        equal("status.json says the same", {code: int(n) for code, n in codes.items()}, outcomes)
        equal("denied, in status.json", self.denied + self.unmatched, self.stage.status()["denied"])

    def shapes(self):
        """Sends queries that dashboards send."""
        for what, text in (
                ("a rate", "sum(rate(ttrpc_proxy_calls_total[1m])) > 0"),
                ("a quantile", "histogram_quantile(0.99, sum by (le) "
                               "(rate(ttrpc_proxy_call_duration_seconds_bucket[1m]))) > 0"),
                ("bytes", 'ttrpc_proxy_received_bytes_total{side="peer"} > 0'),
                ("the version", "ttrpc_proxy_build_info == 1"),
                ("memory", "process_resident_memory_bytes > 1e6"),
                ("descriptors", "process_open_fds < process_max_fds"),
                ("processor time", "process_cpu_seconds_total > 0"),
                ("start", "time() - process_start_time_seconds < 600")):
            self.checks.check(f"Prometheus has {what}", self.prometheus.value(text) is not None, text)

    def configuration(self):
        """The digest is that of --print-config. A refused reload and a good one show."""
        printed = subprocess.run(
            [self.stage.build / "daemon/ttrpc-proxyd", "--config", self.stage.folder / "config.toml",
             "--print-config"], capture_output=True, timeout=60, check=True).stdout
        digest = hashlib.sha256(printed).hexdigest()
        equal = self.checks.equal
        equal("digest", [digest], list(self.prometheus.by("digest", "ttrpc_proxy_config_info")))
        successful = lambda: re.search(rb"\nttrpc_proxy_config_last_reload_successful (\d)\n",
                                       self.stage.get("/metrics")[1]).group(1)
        loaded = self.prometheus.value("ttrpc_proxy_config_last_reload_success_timestamp_seconds")
        self.checks.check("loaded just now", loaded is not None and 0 <= time.time() - loaded < 600, str(loaded))
        self.stage.write_config(more="[nothing]\n")
        self.stage.signal(SIGHUP)
        eventually("the refusal is seen", lambda: successful() == b"0")
        equal("status.json has it, too", False, self.stage.status()["last_reload_successful"])
        self.stage.write_config()
        self.stage.signal(SIGHUP)
        eventually("the next success is seen", lambda: successful() == b"1")

    def oldest_call(self):
        held = Client(self.stage.front, ALICE)
        held.send("bench.Hold", "Hold")
        age = lambda: float(re.search(rb'\nttrpc_proxy_oldest_call_age_seconds{backend="holder"} (\S+)\n',
                                      self.stage.get("/metrics")[1]).group(1))
        first = eventually("a call has an age", age)
        eventually("it grows", lambda: age() > first)
        held.close()
        eventually("and is 0 again", lambda: age() == 0)

    def scrapes_past_silent_connections(self):
        """Connections of any user must not keep the scraper out."""
        silent = [socket.create_connection(("127.0.0.1", self.stage.port)) for _ in range(16)]
        start = time.time()
        self.prometheus.wait_for_scrape()
        self.checks.equal("up", 1.0, self.prometheus.value("up"))
        self.checks.check("well before they time out", time.time() - start < 9)
        for one in silent:
            one.close()

    def alerts_and_dashboard(self):
        """The files for Prometheus and Grafana are valid, and use only existing metrics."""
        shutil.copy(MONITORING / "ttrpc-proxy.rules.yml", self.stage.folder)
        shutil.copy(Path(__file__).with_name("rules_test.yml"), self.stage.folder)
        for words in (["check", "rules", "ttrpc-proxy.rules.yml"], ["test", "rules", "rules_test.yml"]):
            done = subprocess.run(["promtool", *words], cwd=self.stage.folder, capture_output=True, timeout=60,
                                  check=False)
            self.checks.check(f"promtool {words[0]}s the alerts", done.returncode == 0,
                              (done.stdout + done.stderr).decode())
        rules = (MONITORING / "ttrpc-proxy.rules.yml").read_text()
        cases = Path(__file__).with_name("rules_test.yml").read_text()
        self.checks.equal("each alert fires in a case of rules_test.yml", set(re.findall(r"- alert: (\w+)", rules)),
                          set(re.findall(r"alertname: (\w+)\n +exp_alerts:", cases)))
        there = set(METRIC.findall(self.stage.get("/metrics")[1].decode()))
        asked = set(METRIC.findall(rules))
        for panel, expression in expressions_of_dashboard():
            asked |= set(METRIC.findall(expression))
            self.checks.passes(f"panel {panel!r}: {expression}", lambda text=expression: self.prometheus.query(text))
        self.checks.equal("they use only existing metrics", set(), asked - there)

    def for_a_collector_of_text_files(self):
        """The collector rejects a file with metrics that it has itself."""
        done = subprocess.run(
            [self.stage.build / "daemon/ttrpc-proxyctl", "--address", f"unix://{self.stage.folder}/admin.sock",
             "metrics"], capture_output=True, timeout=60, check=False)
        self.checks.equal("exit status", (0, b""), (done.returncode, done.stderr))
        names = set(METRIC.findall(done.stdout.decode()))
        self.checks.check("all of ours", "ttrpc_proxy_calls_total" in names, str(names))
        self.checks.equal("nothing of the process", [], [name for name in names if name.startswith("process_")])
        checked = subprocess.run(["promtool", "check", "metrics"], input=done.stdout, capture_output=True,
                                 timeout=60, check=False)
        self.checks.equal("promtool finds nothing", 0, checked.returncode)

    def promtool(self):
        text = self.stage.get("/metrics")[1]
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                                 timeout=60, check=False)
        output = (checked.stdout + checked.stderr).decode()
        self.checks.check("promtool finds nothing", checked.returncode == 0 and output == "", output)

    # ---- Over a Unix socket --------------------------------------------------------------------

    def curl(self, path, host="localhost"):
        """Returns the status and the body."""
        done = subprocess.run(
            ["curl", "-s", "-w", "\n%{http_code}", "--unix-socket", self.stage.folder / "metrics.sock",
             f"http://{host}{path}"], capture_output=True, timeout=60, check=False)
        body, _, code = done.stdout.decode().rpartition("\n")
        return int(code or 0), body

    def moves_to_a_unix_socket(self):
        path = self.stage.folder / "metrics.sock"
        self.stage.write_config(metrics=f"unix://{path}")
        self.stage.signal(SIGHUP)
        eventually("it listens there", path.is_socket)
        eventually("and no more here", lambda: self.stage.get("/healthz")[0] == 0)
        self.checks.equal("mode", 0o600, path.stat().st_mode & 0o777)
        self.checks.equal("healthz", (200, "ok\n"), self.curl("/healthz"))
        self.checks.equal("readyz", (200, "ready\n"), self.curl("/readyz"))
        status, text = self.curl("/metrics")
        self.checks.equal("metrics", 200, status)
        for line in (f'code="OK"}} {self.ok}', 'ttrpc_proxy_reloads_total{result="taken"} 2'):
            self.checks.check(f"no counter went back: {line}", line + "\n" in text, text)
        self.checks.equal("anything else", 404, self.curl("/secrets")[0])
        self.checks.equal("any Host is accepted", 200, self.curl("/metrics", "node-1.example")[0])

    def drains(self):
        held = Client(self.stage.front, ALICE)
        held.send("bench.Hold", "Hold")
        eventually("the call is there", lambda: json.loads(self.curl("/status.json")[1])["backends"][1]["calls"])
        self.stage.signal(SIGTERM)
        # Another daemon can use the address at once, while this one waits for its last call.
        eventually("its socket is gone", lambda: not (self.stage.folder / "metrics.sock").exists())
        self.checks.equal("it runs on", None, self.stage.daemon.poll())
        held.close()
        self.checks.equal("exit status", 0, self.stage.wait_for_exit())


def main(build):
    checks = Checks()
    with Stage(build) as stage:
        scene = Scene(checks, stage)
        for act in (scene.scrape, scene.load, scene.others, scene.everyone_is_gone, scene.counters,
                    scene.shapes, scene.oldest_call, scene.configuration,
                    scene.scrapes_past_silent_connections, scene.promtool, scene.alerts_and_dashboard,
                    scene.for_a_collector_of_text_files, scene.moves_to_a_unix_socket, scene.drains):
            checks.passes(act.__name__.replace("_", " "), act)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
