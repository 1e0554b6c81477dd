"""Headless Chromium driven over its DevTools pipe: one page, what it logs and what it asks the network for."""
import json
import os
import shutil
import subprocess
import tempfile
import time


class Browser:
    """Use as a context. `messages` are errors, warnings and exceptions of the page; `requests` the URLs it asked for."""

    def __init__(self, program="chromium", timeout=60):
        self.messages, self.requests, self.number, self.timeout, self.session = [], [], 0, timeout, None
        self.events, self.buffer = [], b""
        self.profile = tempfile.mkdtemp(prefix="browser.")
        down, self.write_end = os.pipe()  # the browser reads file descriptor 3 and writes 4
        self.read_end, up = os.pipe()
        os.set_blocking(self.read_end, False)

        def descriptors():
            first, second = os.dup(down), os.dup(up)  # either may be 3 or 4 itself
            os.dup2(first, 3)
            os.dup2(second, 4)

        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
                   "--remote-debugging-pipe", f"--user-data-dir={self.profile}", "about:blank"]
        self.process = subprocess.Popen(command, preexec_fn=descriptors, close_fds=False,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(down)
        os.close(up)
        target = next(one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.write_end)  # the browser ends with its pipe
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.read_end)
        shutil.rmtree(self.profile, ignore_errors=True)

    def receive(self):
        """The next message of the browser."""
        end = time.monotonic() + self.timeout
        while b"\0" not in self.buffer:
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError("the browser does not answer")
            try:
                self.buffer += os.read(self.read_end, 1 << 20)
            except BlockingIOError:
                time.sleep(0.005)
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def note(self, event):
        name, values = event.get("method"), event.get("params", {})
        self.events.append(name)
        if name == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif name == "Runtime.exceptionThrown":
            self.messages.append(json.dumps(values["exceptionDetails"])[:500])
        elif name == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning", "assert"):
            self.messages.append(json.dumps(values["args"])[:500])
        elif name == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
            self.messages.append(values["entry"]["text"])

    def call(self, method, **values):
        self.number += 1
        message = {"id": self.number, "method": method, "params": values}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") != self.number:
                self.note(answer)
            elif "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']['message']}")
            else:
                return answer["result"]

    def open(self, path):
        self.events.clear()
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        while "Page.loadEventFired" not in self.events:
            self.note(self.receive())

    def evaluate(self, expression):
        """The value of a JavaScript expression in the page; an exception is an error here."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def key(self, key, code, text=""):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                      **({"text": text} if text and kind == "keyDown" else {}))

    def resize(self, width, height, scale=1):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                  mobile=width < 600)

    def media(self, media="", scheme="light"):
        self.call("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])

    def script(self, allowed):
        self.call("Emulation.setScriptExecutionDisabled", value=not allowed)
