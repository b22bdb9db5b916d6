"""A small driver for Firefox, over WebDriver BiDi: no more of it than the site's tests need.

Playwright drives a Firefox of its own, which has to be downloaded; this one drives the system's.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import websocket

NAMES = ("firefox-esr", "firefox")
PATIENCE = 180  # seconds: only what hangs is given up
KEYS = {"ArrowRight": "\ue014", "ArrowLeft": "\ue012", "Control": "\ue009", "Space": " "}
PREFERENCES = {  # nothing is looked up, updated or sent while a test runs
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}


def find_firefox() -> str | None:
    """Return the Firefox to test with: $FIREFOX first, then the usual names."""
    named = os.environ.get("FIREFOX")
    if named:
        return named if Path(named).is_file() else None
    return next((path for path in map(shutil.which, NAMES) if path), None)


class FirefoxError(AssertionError):
    """Firefox refused a command, or a script failed."""


class Session:
    """One running Firefox."""

    def __init__(self, address: str) -> None:
        self.socket = websocket.create_connection(address, timeout=PATIENCE, suppress_origin=True)
        self.count, self.pages = 0, {}
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])

    def send(self, method: str, **params) -> dict:
        """Send a command and return its result; what happens meanwhile goes to the pages."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.count:
                if answer["type"] == "error":
                    raise FirefoxError(f"{method}: {answer['message']}")
                return answer["result"]
            self.hear(answer)

    def hear(self, event: dict) -> None:
        """Give an event to the page that it belongs to."""
        params = event.get("params", {})
        context = params.get("context") or params.get("source", {}).get("context")
        page = self.pages.get(context)
        if page is not None:
            page.hear(event["method"], params)

    def open(self, url: str, width: int = 1280, height: int = 900) -> "Page":
        """Open an address in a tab of its own, and wait until it is loaded."""
        context = self.send("browsingContext.create", type="tab")["context"]
        page = self.pages[context] = Page(self, context)
        viewport = {"width": width, "height": height}
        self.send("browsingContext.setViewport", context=context, viewport=viewport)
        page.go(url)
        return page


class Page:
    """A tab, with what went wrong in it."""

    def __init__(self, session: Session, context: str) -> None:
        self.session, self.context = session, context
        self.faults: list[str] = []
        self.requests: list[str] = []

    def hear(self, method: str, params: dict) -> None:
        """Note an error of the console or of a script, and every request."""
        if method == "log.entryAdded" and params["level"] == "error":
            self.faults.append(params["text"])
        elif method == "network.beforeRequestSent":
            self.requests.append(params["request"]["url"])

    def go(self, url: str) -> None:
        """Load an address in this tab."""
        self.session.send(
            "browsingContext.navigate", context=self.context, url=url, wait="complete"
        )

    def run(self, function: str, *values):
        """Call a JavaScript function with these values, await it, and return what it returns."""
        wrapped = f"async (text) => JSON.stringify(await ({function})(...JSON.parse(text)) ?? null)"
        answer = self.session.send(
            "script.callFunction",
            functionDeclaration=wrapped,
            arguments=[{"type": "string", "value": json.dumps(values)}],
            target={"context": self.context},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise FirefoxError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def until(self, function: str, *values):
        """Call a function again and again until it returns something true, and return that."""
        end = time.monotonic() + PATIENCE
        while not (value := self.run(function, *values)):
            assert time.monotonic() < end, f"never came true: {function}"
            time.sleep(0.1)
        return value

    def press(self, *keys: str) -> None:
        """Press keys one after the other; "Control+k" holds the first while the second is down."""
        actions = []
        for key in keys:
            parts = [KEYS.get(part, part) for part in key.split("+")]
            actions += [{"type": "keyDown", "value": part} for part in parts]
            actions += [{"type": "keyUp", "value": part} for part in reversed(parts)]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self.session.send("input.performActions", context=self.context, actions=[source])

    def close(self) -> None:
        """Close the tab."""
        self.session.send("browsingContext.close", context=self.context)


@contextmanager
def firefox(executable: str) -> Iterator[Session]:
    """Start Firefox with a profile of its own and without a window."""
    with tempfile.TemporaryDirectory() as profile:
        lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items())
        Path(profile, "user.js").write_text("\n".join(lines), "utf8")
        command = [executable, "--headless", "--no-remote", "--profile", profile]
        command += ["--remote-debugging-port", "0"]
        environment = {**os.environ, "MOZ_HEADLESS": "1"}
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        try:
            said = (line.rsplit(" ", 1)[-1] for line in process.stderr if "BiDi listening" in line)
            yield Session(next(said).strip() + "/session")
        finally:
            process.terminate()
            process.wait()
