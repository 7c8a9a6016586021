"""A headless Chromium driven over the DevTools protocol, through a pipe: no port, and nothing but Python's library."""
import base64
import fcntl
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time
import unittest


class Browser:
    """One page in one browser. `problems` collects what the page's scripts threw or logged as errors, and every address
    that it asked for other than a file's."""

    def __init__(self, patience=120):
        program = shutil.which("chromium")
        if program is None:
            raise SystemExit("chromium: expected it to be installed (scripts/setup --tests), found none")
        self.patience, self.problems, self.last_id, self.pending = patience, [], 0, b""
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs_in, self.to = map(self._high, os.pipe())
        self.of, theirs_out = map(self._high, os.pipe())

        def take_pipes():  # the browser reads from 3 and writes to 4
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        options = ["--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
                   "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking",
                   "--force-color-profile=srgb", f"--user-data-dir={self.folder.name}"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # it refuses to start as root otherwise
        self.process = subprocess.Popen([program, *options, "about:blank"], preexec_fn=take_pipes, pass_fds=(3, 4),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.session = None
        pages = [target for target in self.call("Target.getTargets")["targetInfos"] if target["type"] == "page"]
        self.session = self.call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)  # else nothing on the page gets a focus event

    @staticmethod
    def _high(fd):
        """The same pipe under a number that neither 3 nor 4 can be."""
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
        os.close(fd)
        return moved

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        os.close(self.to)
        os.close(self.of)
        self.folder.cleanup()

    def _receive(self):
        end = time.monotonic() + self.patience
        while b"\0" not in self.pending:
            ready, _, _ = select.select([self.of], [], [], max(0, end - time.monotonic()))
            block = os.read(self.of, 1 << 20) if ready else b""
            if not block:
                raise RuntimeError(f"chromium: expected a message within {self.patience} s, found none")
            self.pending += block
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def _notice(self, message):
        method, said = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = said["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.problems.append(said["entry"]["text"])
        elif method == "Network.requestWillBeSent" and not said["request"]["url"].startswith("file:"):
            self.problems.append("asked for " + said["request"]["url"][:100])

    def call(self, method, **parameters):
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self._send(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self.last_id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._notice(answer)

    def _send(self, data):
        while data:
            data = data[os.write(self.to, data):]

    def open(self, path):
        self.call("Page.navigate", url=pathlib.Path(path).resolve().as_uri())
        self.wait_for("document.readyState === 'complete'")
        self.settle()

    def run(self, script):
        """The value of a JavaScript expression; promises are awaited."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script[:200]}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait_for(self, condition):
        end = time.monotonic() + self.patience
        while not self.run(condition):
            if time.monotonic() > end:
                raise RuntimeError(f"expected {condition} within {self.patience} s")
            time.sleep(0.02)

    def settle(self):
        """Waits until what was changed is drawn, observers included."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")

    def click(self, selector):
        x, y = self.run("(() => { const e = document.querySelector(" + json.dumps(selector) + ");"
                        "e.scrollIntoView({block: 'center'}); const b = e.getClientRects()[0];"
                        "return [b.x + b.width / 2, b.y + b.height / 2]; })()")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, clickCount=0 if kind == "mouseMoved" else 1,
                      button="none" if kind == "mouseMoved" else "left")
        self.settle()

    def key(self, key, text="", modifiers=0):
        """`text`: what the key types; modifiers: 8 = Shift."""
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", key=key, text=text,
                  modifiers=modifiers, windowsVirtualKeyCode={"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
                                                              "ArrowDown": 40, "Escape": 27, "Enter": 13}.get(key, 0))
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=modifiers)
        self.settle()

    def type(self, text):
        self.call("Input.insertText", text=text)
        self.settle()

    def look(self, width, height, scheme="light", mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.settle()

    def screenshot(self, path):
        self.settle()
        image = self.call("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(image))


class PageTest(unittest.TestCase):
    """Tests of one page, `page`, which each finds newly opened, and leaves without problems."""
    SIZE = (1280, 800)

    def setUp(self):
        self.browser = Browser()
        self.addCleanup(self.browser.__exit__)
        self.browser.look(*self.SIZE)
        self.browser.open(self.page)

    def tearDown(self):
        self.assertEqual(self.browser.problems, [])
