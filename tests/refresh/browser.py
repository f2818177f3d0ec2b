"""A headless Chromium of our own, spoken to by its DevTools protocol."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from contextlib import asynccontextmanager

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: What a page says or asks for when it does more than lie there.
TOLD = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
ASKED = "Network.requestWillBeSent"


def chromium():
    """Where it is, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A process; `folder` holds all that it writes."""

    def __init__(self, folder):
        self._process = subprocess.Popen(
            [
                chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--disable-dev-shm-usage",
                "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "HOME": str(folder), "TMPDIR": str(folder)},
            start_new_session=True,
        )  # fmt: skip
        said = iter(self._process.stderr)
        found = filter(None, (re.search(rb"listening on ws://([\d.:]+)/", line) for line in said))
        self.address = next(found)[1].decode()
        # Whatever else it says must not fill the pipe.
        self._reader = threading.Thread(target=self._process.stderr.read)
        self._reader.start()

    def close(self):
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._reader.join(10)
        self._process.stderr.close()

    @asynccontextmanager
    async def page(self):
        """A page, empty at first."""
        async with aiohttp.ClientSession() as session:
            async with session.put(f"http://{self.address}/json/new?about:blank") as answer:
                url = (await answer.json())["webSocketDebuggerUrl"]
            async with session.ws_connect(url, max_msg_size=0) as socket:
                page = Page(socket)
                for domain in ("Page", "Runtime", "Log", "Network"):
                    await page.call(f"{domain}.enable")
                yield page
                await page.call("Page.close")


class Page:
    """What is open.

    Attributes:
        told: what came on the console, and errors.
        asked: URLs that were asked for.
    """

    def __init__(self, socket):
        self._socket, self._last = socket, 0
        self.told, self.asked = [], []

    async def call(self, method, **arguments):
        self._last += 1
        await self._socket.send_json({"id": self._last, "method": method, "params": arguments})
        while (message := await self._message()).get("id") != self._last:
            pass
        assert "error" not in message, message
        return message["result"]

    async def open(self, path, *, scheme="light", width=1200):
        """Load a file."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", media="screen", features=features)
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        await self.call("Page.navigate", url=path.as_uri())
        while await self.value("document.readyState") != "complete":
            await self._message()

    async def value(self, expression):
        """What JavaScript makes of it."""
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def _message(self):
        message = json.loads((await self._socket.receive(timeout=20)).data)
        if message.get("method") in TOLD:
            self.told.append(message["params"])
        elif message.get("method") == ASKED:
            self.asked.append(message["params"]["request"]["url"])
        return message
