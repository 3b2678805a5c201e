# SPDX-License-Identifier: Apache-2.0
"""Drives headless Chromium by its DevTools protocol over a pair of pipes, without a library.

A browser has one page. Events of the page's console, its content security policy and its network are
collected; see problems() and requests().
"""

import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading

DEADLINE = 60  # seconds for an answer, on a busy machine
SHOT_HEIGHT = 1600
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage",
         "--hide-scrollbars", "--remote-debugging-pipe"]


class Browser:
    def __init__(self):
        self._folder = tempfile.mkdtemp(prefix="ttrpc-browser-")
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # Chromium expects the pipes as descriptors 3 and 4, which this process may use already.
        command = ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", "chromium",
                   *FLAGS, f"--user-data-dir={self._folder}", "about:blank"]
        self._process = subprocess.Popen(
            command, pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "HOME": self._folder})
        os.close(theirs_in)
        os.close(theirs_out)
        self._out = open(ours_out, "wb", buffering=0)
        self._in = open(ours_in, "rb")
        self._answers = queue.Queue()
        self.events = []
        self._id = 0
        self._session = None
        threading.Thread(target=self._collect, daemon=True).start()
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.send(domain + ".enable")

    def _collect(self):
        rest = b""
        while part := self._in.read1(1 << 16):
            *messages, rest = (rest + part).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self._answers.put(message)
                else:
                    self.events.append(message)
        self._answers.put(None)

    def send(self, method, **parameters):
        self._id += 1
        message = {"id": self._id, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            try:
                answer = self._answers.get(timeout=DEADLINE)
            except queue.Empty:
                raise AssertionError(f"the browser does not answer {method}") from None
            if answer is None:
                raise AssertionError("the browser has ended")
            if answer["id"] != self._id:
                continue
            if "error" in answer:
                raise AssertionError(f"{method}: {answer['error']['message']}")
            return answer["result"]

    def show(self, width, height, scheme, phone=False):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if phone else 1, mobile=phone)
        self.send("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    def go(self, url):
        self.send("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def eval(self, expression):
        """Returns the value of an expression, or that of its promise."""
        answer = self.send("Runtime.evaluate", expression=expression, awaitPromise=True,
                           returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            error = details.get("exception", {}).get("description", details["text"])
            raise AssertionError(f"{expression[:80]}: {error}")
        return answer["result"].get("value")

    def wait_for(self, condition, seconds=120):
        """Waits until a condition in JavaScript is true."""
        found = self.eval(f"""new Promise(done => {{
            const end = performance.now() + {seconds * 1000};
            (function look() {{
              let met = false;
              try {{ met = !!({condition}); }} catch (error) {{ /* not there yet */ }}
              if (met || performance.now() > end) done(met); else setTimeout(look, 50);
            }})();
          }})""")
        if not found:
            raise AssertionError(f"not within {seconds} s: {condition}")

    def screenshot(self, path):
        """Writes the whole page, also the part below the window. A long page is written to several
        files, since a single one would be too small to read."""
        width, height = self.eval(
            "[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        for top in range(0, height, SHOT_HEIGHT):
            clip = {"x": 0, "y": top, "width": width, "height": min(SHOT_HEIGHT, height - top), "scale": 1}
            shot = self.send("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
            part = path if top == 0 else path.with_stem(f"{path.stem}-{top // SHOT_HEIGHT + 1}")
            part.write_bytes(base64.b64decode(shot["data"]))

    def problems(self):
        """Returns errors and warnings of the console, exceptions, and violations of the policy."""
        found = []
        for event in list(self.events):
            what = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(what["exceptionDetails"])[:400])
            elif event["method"] == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
                found.append(what["entry"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning"):
                found.append(json.dumps(what["args"])[:400])
        return found

    def requests(self):
        """Returns the address of each request of the page."""
        return [event["params"]["request"]["url"] for event in list(self.events)
                if event["method"] == "Network.requestWillBeSent"]

    def close(self):
        try:
            self._session = None
            self.send("Browser.close")
        except (AssertionError, OSError):
            pass
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        self._out.close()
        shutil.rmtree(self._folder, ignore_errors=True)
