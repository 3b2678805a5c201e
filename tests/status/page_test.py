#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the checks of run.sh: page_test.py BUILD SHOTS"""

import json
import re
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
# pylint: disable=wrong-import-position
from browser import Browser
from stage import ALICE, BOB, MALLORY, SIGTERM, Checks, Client, Stage, eventually

PHONE = 360
# These are the longest names that the daemon accepts.
SERVICE, METHOD = "a." * 127 + "aa", "M" * 256
# The daemon's log would escape these, but the page may get them.
MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"
LONG = "x" * 200 + "</td></table><h1>owned</h1>" + "y" * 500
UNSEEN = "safe\u202egnp.exe\u0007"

# Returns the number that a key figure shows, or NaN.
FIGURE = """(name => { for (const pair of document.querySelectorAll('#figures > div'))
  if (pair.children[0].textContent === name)
    return parseFloat(pair.children[1].textContent.replace(/,/g, '')); })"""
# Returns how many pixels of a plot have exactly the colour of a series.
PIXELS = """((canvas, name) => {
  const probe = document.createElement('canvas').getContext('2d');
  probe.fillStyle = colour(name); probe.fillRect(0, 0, 1, 1);
  const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
  // A copy, in memory: reading the original would make the browser warn, and draw it slowly.
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const context = copy.getContext('2d', {willReadFrequently: true});
  context.drawImage(canvas, 0, 0);
  const all = context.getImageData(0, 0, copy.width, copy.height).data;
  let found = 0;
  for (let i = 0; i < all.length; i += 4)
    if (Math.abs(all[i] - r) + Math.abs(all[i + 1] - g) + Math.abs(all[i + 2] - b) < 6 &&
        all[i + 3] > 200) ++found;
  return found; })"""
# Returns the lowest contrast between a text and its background, as WCAG defines it, and that text.
CONTRAST = """(() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= .03928 ? c / 12.92 :
      ((c + .055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  let worst = [99, ''];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest('script, noscript')) continue;
    let behind = element;
    while (behind.parentElement && (parse(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0)
      behind = behind.parentElement;
    const [a, b] = [light(parse(getComputedStyle(element).color)),
                    light(parse(getComputedStyle(behind).backgroundColor))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < worst[0]) worst = [ratio, element.tagName + ' ' + element.textContent.slice(0, 40)];
  }
  return worst; })()"""


# Returns texts that are cut: a part of them is not visible and cannot be scrolled to.
CUT = """(() => [...document.querySelectorAll('body *')].filter(e =>
    e.checkVisibility() && !e.closest('script, noscript, thead, canvas') && [...e.childNodes].some(
        node => node.nodeType === 3 && node.data.trim()) &&
    (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline' ||
     e.scrollHeight > e.clientHeight + 2 && getComputedStyle(e).overflowY === 'hidden' ||
     e.getBoundingClientRect().right > innerWidth + 1)).map(
        e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40)))()"""


class Scene:
    def __init__(self, checks, stage, browser, shots):
        self.checks = checks
        self.stage = stage
        self.browser = browser
        self.shots = shots
        self.held = None

    def state_is(self, wanted):
        self.browser.wait_for(f"document.getElementById('state').textContent === '{wanted}'")

    def figure(self, name):
        return self.browser.eval(f"{FIGURE}('{name}')")

    def begin(self):
        """Starts the load of two users, and some calls that fail."""
        stage, front = self.stage, self.stage.front
        self.held = Client(front, ALICE)
        for _ in range(20):
            self.held.send("bench.Hold", "Hold", b"x" * 4096)
        mallory, root, stranger = Client(front, MALLORY), Client(front), Client(front, BOB)
        stage.load("--user", ALICE, "--connections", 8, "--in-flight", 2, "--payload", 512,
                   "--seconds", 600)
        stage.load("--user", BOB, "--connections", 2, "--in-flight", 1, "--payload", 16384,
                   "--seconds", 600)
        stage.trickle(
            0.05, lambda: mallory.call("bench.Echo", "Echo"), lambda: root.call("bench.Gone", "Do"),
            lambda: mallory.call("bench.Echo", "Echo"), lambda: stranger.call("bench.Other", "Do"),
            lambda: mallory.call(MARKUP, "Do"),
            lambda: mallory.call(SERVICE, METHOD))

    # ---- Live --------------------------------------------------------------------------------

    def load_page(self):
        self.browser.show(1280, 900, "light")
        self.browser.go(self.stage.base + "/")
        self.state_is("live")
        self.browser.wait_for("samples.length > 3")
        equal = self.checks.equal
        equal("standards mode", "CSS1Compat", self.browser.eval("document.compatMode"))
        equal("version", True, self.browser.eval("document.getElementById('version').textContent !== ''"))
        status = self.stage.status()
        facts = self.browser.eval("document.getElementById('facts').innerText")
        zone = self.browser.eval("Intl.DateTimeFormat().resolvedOptions().timeZone")
        for what in (str(status["pid"]), status["config"], status["digest"][:12], zone):
            self.checks.check(f"header says {what}", what in facts, facts)
        host = socket.gethostname()
        equal("heading", f"ttrpc-proxyd on {host}", self.browser.eval("document.querySelector('h1').textContent"))
        title = self.browser.eval("document.title")
        self.checks.check("title has the host", title.endswith(f"ttrpc-proxyd on {host}"), title)

    def numbers_move(self):
        wait = self.browser.wait_for
        wait(f"{FIGURE}('calls/s') > 0")
        wait(f"{FIGURE}('denied/s') > 0")
        self.checks.equal("calls in flight", True, self.figure("calls in flight") >= 20)
        self.checks.equal("peers", True, self.figure("peers") >= 14)
        self.browser.eval("""globalThis.before = {
            rate: document.querySelector('#figures dd').textContent,
            plot: document.getElementById('plot-ok').toDataURL(),
            count: samples.length, rows: [...document.querySelectorAll('#backends td')].map(
                cell => cell.textContent).join()}""")
        wait("samples.length > before.count + 1")
        wait("document.querySelector('#figures dd').textContent !== before.rate")
        wait("document.getElementById('plot-ok').toDataURL() !== before.plot")
        wait("[...document.querySelectorAll('#backends td')].map(c => c.textContent).join() !== "
             "before.rows")

    def rates_are_true(self):
        """Compares what the page computes with the counters."""
        shown = self.browser.eval("""new Promise(done => {
            const from = samples.length;
            (function look() {
              if (samples.length < from + 5) return setTimeout(look, 50);
              const some = samples.slice(-4), first = samples.at(-5);
              const mean = some.reduce((sum, s, i) =>
                  sum + s.rates.all * (s.t - (some[i - 1] ?? first).t), 0) / (some.at(-1).t - first.t);
              const whole = s => s.totals.reduce((a, b) => a + b, 0);
              done([mean, (whole(some.at(-1)) - whole(first)) * 1000 / (some.at(-1).t - first.t)]);
            })(); })""")
        self.checks.check("rates are the counters' own", abs(shown[0] - shown[1]) <= shown[1] * 0.001,
                          str(shown))
        buckets = "[0, 10, 80, 0, 9, 1]"
        bounds = "[.001, .002, .004, .008, .016]"
        for share, wanted in ((0.5, 0.003), (0.9, 0.004), (0.99, 0.016), (1, 0.016)):
            have = self.browser.eval(f"quantile({buckets}, {bounds}, {share})")
            self.checks.check(f"quantile {share}", abs(have - wanted) < 1e-9, str(have))

    def plots_are_drawn(self, theme):
        canvases = self.browser.eval("document.querySelectorAll('canvas').length")
        self.checks.check(f"{theme}: plots", canvases >= 3, str(canvases))
        for canvas, name in (("#plot-ok", "ok"), ("#plot-rest", "denied"), ("#latency canvas", "ok"),
                             ("#latency canvas", "denied")):
            self.browser.wait_for(
                f"{PIXELS}(document.querySelector('{canvas}'), '{name}') > 10", seconds=10)
        labels = self.browser.eval("[...document.querySelectorAll('canvas')].map(c => c.ariaLabel)")
        self.checks.check(f"{theme}: plots have labels", all(labels), str(labels))

    def tables(self):
        text = lambda id_: self.browser.eval(f"document.getElementById('{id_}').innerText")
        backends = text("backends")
        for what in ("● up", "▲ down", "No such file or directory", "echo", "holder"):
            self.checks.check(f"backends: {what}", what in backends, backends)
        for what in ("front", "side", "unix://"):
            self.checks.check(f"listeners: {what}", what in text("listeners"))
        first = self.browser.eval("document.querySelector('#backends tbody tr').textContent")
        self.checks.check("what is down comes first", "gone" in first and "▲ down" in first, first)
        rules = self.browser.eval("[...document.querySelectorAll('#rules tbody tr')].map(r => r.innerText)")
        names = ["never mallory", "these may echo", "these may wait", "nobody is there", "(none matched)"]
        self.checks.equal("rules, in their order", True, len(rules) == len(names) and all(
            name in row for name, row in zip(names, rules)))
        self.checks.check("rules have hits", re.search(r"never mallory.*deny.*[1-9]", rules[0], re.S), rules[0])
        top = self.browser.eval("document.querySelector('#top_denied tbody tr').innerText")
        self.checks.check("denied most often", str(MALLORY) in top and "/bench.Echo/Echo" in top, top)
        users = text("users")
        for uid in (ALICE, BOB, MALLORY):
            self.checks.check(f"user {uid}", str(uid) in users, users)
        self.checks.check("limits", "of 32" in users and "of 64" in users and "of 4 MiB" in users, users)
        self.checks.equal("bars", True, self.browser.eval(
            "[...document.querySelectorAll('#users .track > i')].some(i => i.offsetWidth > 0)"))

    def denials(self):
        self.browser.wait_for("document.querySelectorAll('#denials tbody tr').length >= 10")
        self.browser.wait_for("document.getElementById('denials').innerText.includes('never mallory')")
        self.browser.wait_for("document.getElementById('denials').innerText.includes('(none matched)')")
        shown = self.browser.eval("document.getElementById('denials').innerText")
        for what in (str(MALLORY), "PERMISSION_DENIED", "INVALID_ARGUMENT", "/bench.Echo/Echo",
                     "a rule denies it", "no rule allows it", "the request is malformed"):
            self.checks.check(f"denials: {what}", what in shown, shown[:400])

    def hostile_text(self):
        cells = self.codes()
        self.checks.check("the longest names", f"/{SERVICE}/{METHOD}" in cells, str(cells)[:400])

    def hostile_list(self):
        """The page is safe even if the daemon sends markup, very long names or hidden characters."""
        entry = {"time": 1, "event": "refuse", "listener": MARKUP, "pid": 1, "uid": 7, "rule": MARKUP}
        names = (MARKUP, LONG, UNSEEN)
        refusals = [{**entry, "service": name, "method": name, "code": MARKUP} for name in names]
        self.look(False)
        self.browser.eval(
            f"show({{...latest, now: latest.now + 1, refusals: {json.dumps(refusals)}}})")
        unseen = "safe\\u202egnp.exe\\u0007"
        self.checks.equal("names are text", [f"/{x}/{x}" for x in (MARKUP, LONG, unseen)], self.codes())
        self.checks.equal("no markup of a peer", 0, self.browser.eval(
            "document.querySelectorAll('img, main script, main h1, iframe').length"))
        self.no_scrolling("hostile names")
        self.browser.screenshot(self.shots / "hostile.png")
        self.look(True)

    def long_lists(self):
        """A list of more than fifty rows has a search, and a common status is shown by its name."""
        self.look(False)
        hidden = "document.querySelector('#backends .find').hidden"
        self.checks.equal("no search in a short list", True, self.browser.eval(hidden))
        self.browser.eval("""show({...latest, now: latest.now + 2, outcomes: {OK: 1e9, NOT_FOUND: 1e6},
            backends: Array.from({length: 60}, (_, i) => ({...latest.backends[0], name: `shim-${i}`,
                up: i !== 57, tried: true, error: 'refused'}))})""")
        self.checks.equal("search in a long one", False, self.browser.eval(hidden))
        self.checks.equal("down first", "shim-57", self.browser.eval(
            "document.querySelector('#backends tbody .name span').textContent"))
        self.browser.eval("""(() => { const find = document.querySelector('#backends .find');
            find.value = 'SHIM-4'; find.dispatchEvent(new Event('input')); })()""")
        self.checks.equal("what was searched", 11, self.browser.eval(
            "document.querySelectorAll('#backends tbody tr').length"))
        legend = self.browser.eval("document.getElementById('legend-rest').innerText")
        self.checks.check("NOT_FOUND by its name", "NOT_FOUND" in legend, legend)
        self.look(True)
        self.browser.wait_for("latest.backends.length === 3")

    def workloads(self):
        """Listeners that discover have a list of workloads; names are text there, too."""
        self.look(False)
        hidden = "document.getElementById('workloads').hidden"
        self.checks.equal("no workloads without discovery", True, self.browser.eval(hidden))
        self.browser.eval("""show({...latest, now: latest.now + 2, workloads_total: 900,
            listeners: latest.listeners.map(listener => ({...listener, discovers: true})),
            workloads: [{listener: 'front', name: 'k8s.io/<img src=x>', address: '', front: '', pod: '',
                         since: latest.now, peers: 0, problem: 'no address'},
                        {listener: 'front', name: 'k8s.io/web', address: 'unix:///s/1',
                         front: '/fronts/k8s.io/web.sock', pod: 'team-a/web-0', since: latest.now,
                         peers: 3, problem: ''}]})""")
        self.checks.equal("workloads with discovery", False, self.browser.eval(hidden))
        text = self.browser.eval("document.getElementById('workloads').innerText")
        for what in ("k8s.io/<img src=x>", "no address", "k8s.io/web", "pod team-a/web-0", "unix:///s/1",
                     "/fronts/k8s.io/web.sock", "2 of 900"):
            self.checks.check(f"workloads: {what}", what in text, text)
        self.no_scrolling("workloads")
        self.browser.screenshot(self.shots / "workloads.png")
        self.look(True)
        self.browser.wait_for(hidden)

    def ways_to_the_denials(self):
        """The page is navigated by a link in the header, and with the keyboard."""
        self.browser.eval("document.querySelector('nav a[href=\"#denials\"]').click()")
        self.browser.wait_for("location.hash === '#denials'")
        self.browser.wait_for("document.getElementById('denials').getBoundingClientRect().top < innerHeight")
        self.checks.equal("focusable", 0, self.browser.eval(
            "document.querySelector('#denials .scroll').tabIndex"))

    def codes(self):
        return self.browser.eval(
            "[...document.querySelectorAll('#denials code')].map(code => code.textContent)")

    def no_scrolling(self, when):
        width, window = self.browser.eval(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        self.checks.check(f"no horizontal scrolling: {when}", width <= window, f"{width} > {window}")

    def keyboard(self):
        self.browser.eval("document.getElementById('plot-ok').focus()")
        for key, wanted in (("ArrowLeft", "at "), ("Escape", "the last ")):
            for kind in ("keyDown", "keyUp"):
                self.browser.send("Input.dispatchKeyEvent", type=kind, key=key)
            self.browser.wait_for(f"document.getElementById('span').textContent.startsWith('{wanted}')")
        self.browser.eval("document.activeElement.blur()")

    def themes(self):
        seen = {}
        for theme in ("dark", "light"):
            for width, height, kind in ((1280, 900, "desktop"), (PHONE, 740, "phone")):
                self.browser.show(width, height, theme, kind == "phone")
                name = f"{theme} {kind}"
                self.browser.wait_for(f"innerWidth === {width}")
                self.browser.wait_for("document.getElementById('plot-ok').width === Math.round("
                                      "document.getElementById('plot-ok').clientWidth * devicePixelRatio)")
                self.plots_are_drawn(name)
                self.no_scrolling(name)
                if kind == "phone":
                    self.checks.equal(f"{name}: nothing is cut", [], self.browser.eval(CUT))
                ratio, where = self.browser.eval(CONTRAST)
                self.checks.check(f"{name}: contrast of all text", ratio >= 4.5, f"{ratio:.2f}: {where}")
                self.browser.screenshot(self.shots / f"{name.replace(' ', '-')}.png")
            seen[theme] = self.browser.eval(
                "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
        self.checks.check("dark and light differ", all(
            a != b for a, b in zip(seen["dark"], seen["light"])), str(seen))

    def pauses(self):
        """A hidden page sends no requests, and sends one at once when it is shown."""
        self.look(False)
        before = len(self.browser.requests())
        # Two periods show that nothing happens.
        self.browser.eval("new Promise(done => setTimeout(done, 2 * kPeriod + 200))")
        self.checks.equal("asks nothing while hidden", before, len(self.browser.requests()))
        self.look(True)
        eventually("it asks again", lambda: len(self.browser.requests()) > before)

    def look(self, looking):
        """Shows or hides the page, as the page itself sees it."""
        hidden = "false" if looking else "true"
        self.browser.eval(
            f"Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}});"
            "document.dispatchEvent(new Event('visibilitychange'));")
        if not looking:
            self.browser.wait_for("!polling")

    def nothing_wrong(self):
        self.checks.equal("console", [], self.browser.problems())
        foreign = [url for url in self.browser.requests()
                   if not re.match(re.escape(self.stage.base) + "/|data:|about:", url)]
        self.checks.equal("requests to others", [], foreign)

    # ---- The end, and after it -------------------------------------------------------------------

    def drains(self):
        # The socket closes at once, so that another daemon can use the address.
        self.stage.signal(SIGTERM)
        self.state_is("unreachable")
        self.browser.wait_for("document.getElementById('notice').checkVisibility()")
        notice = self.browser.eval("document.getElementById('notice').textContent")
        self.checks.check("what the page says", "cannot be reached" in notice, notice)
        self.browser.screenshot(self.shots / "draining.png")

    def ends(self):
        self.held.close()
        self.checks.equal("exit status", 0, self.stage.wait_for_exit())
        self.state_is("unreachable")
        self.browser.wait_for(
            "document.getElementById('notice').textContent.includes('cannot be reached')")
        self.browser.wait_for("document.title.startsWith('unreachable')")
        self.no_scrolling("unreachable")
        self.browser.screenshot(self.shots / "unreachable.png")

    def comes_back(self):
        old = self.stage.daemon.pid
        self.stage.start_daemon()
        self.state_is("live")
        self.browser.wait_for(f"latest.pid !== {old} && !document.body.classList.contains('stale')")
        self.browser.wait_for("samples.length >= 2")
        self.checks.equal("no rate of two daemons", True, self.browser.eval(
            "samples.every(s => s.run === samples[0].run && (!s.rates || s.rates.totals.every(n => n >= 0)))"))
        # While no daemon ran, connections were refused, or closed as the daemon ended.
        ended = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_SOCKET_NOT_CONNECTED", "ERR_EMPTY_RESPONSE")
        wrong = [text for text in self.browser.problems() if not any(name in text for name in ended)]
        self.checks.equal("console, to the end", [], wrong)


def main(build, shots):
    checks = Checks()
    shots = Path(shots)
    shots.mkdir(parents=True, exist_ok=True)
    with Stage(build) as stage:
        browser = Browser()
        try:
            scene = Scene(checks, stage, browser, shots)
            scene.begin()
            for act in (scene.load_page, scene.numbers_move, scene.rates_are_true, scene.tables,
                        scene.denials, scene.hostile_text, scene.long_lists, scene.workloads,
                        scene.ways_to_the_denials, scene.keyboard, scene.themes,
                        scene.pauses, scene.nothing_wrong):
                checks.passes(act.__name__.replace("_", " "), act)
            browser.show(PHONE, 740, "dark", phone=True)
            for act in (scene.hostile_list, scene.drains, scene.ends, scene.comes_back):
                checks.passes(act.__name__.replace("_", " "), act)
        finally:
            browser.close()
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
