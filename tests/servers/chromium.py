"""A headless Chromium of one's own, driven over its debugging pipe: nothing listens, no library is needed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)


class Browser:
    """One tab. ``events`` holds all that the browser told of itself, in order; ``width`` is the window's."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._unread = b""
        self._calls = 0
        self._session: str | None = None
        self.width = 0
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command of the DevTools protocol, wait for its result.

        Raises:
            RuntimeError: the browser refused, or is gone.
        """
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            found = self._receive()
            if found.get("id") == self._calls:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']}")
                return found["result"]

    def open(self, url: str, *, width: int, scheme: str = "light", height: int = 900) -> None:
        """Load a page at a width in pixels, in the colour scheme ``light`` or ``dark``; ends when it is loaded."""
        self.events.clear()
        self.width = width
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._receive()

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression in the page.

        Raises:
            RuntimeError: it threw.
        """
        given = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in given:
            raise RuntimeError(given["exceptionDetails"])
        return given["result"].get("value")

    def screenshot(self, path: Path, *, top: float = 0, height: float | None = None) -> None:
        """PNG file of the page from ``top`` on, ``height`` pixels or to its end."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": top, "width": size["width"], "height": height or size["height"] - top, "scale": 1}
        given = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(given["data"]))

    def requested(self) -> list[str]:
        """URLs that the page asked for since it was opened."""
        return [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[Any]:
        """What went to the console, exceptions included, since the page was opened."""
        methods = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
        return [event["params"] for event in self.events if event["method"] in methods]

    def close(self) -> None:
        """Close both ends of the pipe; the browser ends with them."""
        os.close(self._write)
        os.close(self._read)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            some = os.read(self._read, 1 << 16)
            if not some:
                raise RuntimeError("the browser is gone")
            self._unread += some
        message, _, self._unread = self._unread.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        if "method" in found:
            self.events.append(found)
        return found


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own under ``folder``, ended afterwards."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program is not None, "no Chromium"
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    # The protocol's pipe is file descriptors 3 and 4; a shell puts them there.
    shell = f'exec "$@" 3<&{to_read} 4>&{from_write}'
    command = ["bash", "-c", shell, "bash", program, *FLAGS, f"--user-data-dir={folder / 'profile'}"]
    process = subprocess.Popen(
        command, pass_fds=(to_read, from_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(to_read)
    os.close(from_write)
    try:
        browser = Browser(from_read, to_write)
        yield browser
        browser.close()
        process.wait(timeout=20)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
