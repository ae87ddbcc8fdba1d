"""A real browser that is told what to do: W3C's WebDriver, in the few words that the tests need."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND"),
]
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no chromium with chromedriver on this machine"),
]
_DIRECT = build_opener(ProxyHandler({}))
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""W3C's name of an element in JSON."""


@dataclass
class Browser:
    """One window."""

    session: str

    def open(self, page: Path, width: int = 1400, height: int = 1000) -> None:
        window = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._ask("goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": window})
        self._ask("url", {"url": page.as_uri()})

    def run(self, script: str, *arguments: Any) -> Any:
        """What the body of an async function gives, whose `arguments` are these."""
        wrapped = f"const done = arguments[arguments.length - 1]; (async (...given) => {{ {script} }})(...arguments)"
        wrapped += ".then((found) => done({ found }), (error) => done({ error: String(error.stack) }));"
        answer = self._ask("execute/async", {"script": wrapped, "args": list(arguments)})
        assert "error" not in answer, answer["error"]
        return answer.get("found")

    def drag(self, element: str, *points: tuple[int, int]) -> None:
        """Press on an element, at points from its middle, move over the others and let go."""
        at = [{"type": "pointerMove", "origin": self._element(element), "x": x, "y": y} for x, y in points]
        pressed = [at[0], {"type": "pointerDown", "button": 0}, *at[1:], {"type": "pointerUp", "button": 0}]
        self._ask("actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": pressed}]})

    def click(self, element: str) -> None:
        self._ask(f"element/{self._element(element)[_ELEMENT]}/click", {})

    def type(self, element: str, text: str) -> None:
        """By the keys; in a file's input it is a path."""
        self._ask(f"element/{self._element(element)[_ELEMENT]}/value", {"text": text})

    def want_less_motion(self, less: bool) -> None:
        """As a reader says it in the settings of the system."""
        features = [{"name": "prefers-reduced-motion", "value": "reduce" if less else "no-preference"}]
        self._ask("goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}})

    def console(self) -> list[str]:
        """What came on it since it was asked last."""
        return [str(line["message"]) for line in self._ask("se/log", {"type": "browser"})]

    def shoot(self, target: Path) -> None:
        target.write_bytes(base64.b64decode(self._ask("screenshot")))

    def _element(self, selector: str) -> dict[str, str]:
        """In the middle of the window, where nothing else lies over it."""
        self.run("document.querySelector(given[0]).scrollIntoView({ behavior: 'instant', block: 'center' })", selector)
        found: dict[str, str] = self._ask("element", {"using": "css selector", "value": selector})
        return found

    def _ask(self, what: str, given: Any = None) -> Any:
        return _answer(f"{self.session}/{what}", given)


@contextmanager
def browser(*flags: str) -> Iterator[Browser]:
    """A window of Chromium, started with more `flags`; it and its driver end with the block."""
    assert DRIVER is not None
    assert CHROMIUM is not None
    driver, port = _started(DRIVER)
    try:
        session = f"http://127.0.0.1:{port}/session"
        options = {"binary": CHROMIUM, "args": [*FLAGS, *flags]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        one = _answer(session, {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        window = Browser(f"{session}/{one}")
        try:
            window._ask("timeouts", {"script": 120_000})
            yield window
        finally:
            _DIRECT.open(Request(window.session, method="DELETE")).close()
    finally:
        driver.terminate()
        driver.wait()


def _started(command: str) -> "tuple[subprocess.Popen[str], int]":
    """A driver and its port. Where many processes start, one driver in hundreds ends at once: then there is another."""
    said = ""
    for _ in range(3):
        driver = subprocess.Popen([command, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert driver.stdout is not None
        for line in driver.stdout:
            if found := re.search(r"successfully on port (\d+)", line):
                return driver, int(found[1])
            said += line
        driver.wait()
    raise AssertionError(f"three drivers of the browser ended at once: {said}")


def _answer(address: str, given: Any = None) -> Any:
    content = None if given is None else json.dumps(given).encode()
    try:
        with _DIRECT.open(Request(address, content, {"Content-Type": "application/json"})) as answer:
            return json.load(answer)["value"]
    except HTTPError as error:
        raise AssertionError(json.load(error)["value"]["message"]) from None
