"""The whole product as a newcomer starts it, and Chromium windows that look at it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as django_settings
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
NO_CHROMIUM = "NO CHROMIUM: THE BROWSER TESTS OF THE WHOLE PRODUCT WERE SKIPPED (make browser)"
SCREENSHOTS = Path(django_settings.BASE_DIR) / "var" / "screenshots"
PATIENCE_MS = 30_000
START_PATIENCE_S = 150
STOP_PATIENCE_S = 40
# What the suite told its own processes must not reach the product under test.
OF_THE_SUITE = ("GANTRY_", "DATABASE_URL", "REDIS_URL", "CLICKHOUSE_", "DJANGO_", "COVERAGE_")
expect.set_options(timeout=PATIENCE_MS)
RECORD_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A running Gantry and what `demo_credentials` prints about it."""

    base_url: str
    var: Path
    organization: dict[str, Any]
    rival: dict[str, Any]

    @property
    def home(self) -> str:
        return f"{self.base_url}/o/{self.organization['slug']}/"

    @property
    def live_stream(self) -> str:
        return str(self.organization["live_stream"])

    def person(self, role: str) -> dict[str, str]:
        return next(one for one in self.organization["people"] if one["role"] == role)


def environment_of(var: Path, port: int, **more: str) -> dict[str, str]:
    """A stranger's environment, with this instance's folder and port."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(OF_THE_SUITE)}
    own = {"GANTRY_VAR": str(var), "GANTRY_PORT": str(port), "GANTRY_DEMO": "1"}
    return kept | own | more


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(var: Path, port: int, **more: str) -> Iterator[dict[str, str]]:
    """Run `python -m core.embedded` until the block ends; it must start and stop cleanly."""
    environment = environment_of(var, port, **more)
    with (var.parent / f"{var.name}.console").open("w+") as console:
        child = subprocess.Popen(
            [sys.executable, "-m", "core.embedded"],
            cwd=django_settings.BASE_DIR,
            env=environment,
            stdout=console,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(child, port, Path(console.name))
            yield environment
        finally:
            child.send_signal(signal.SIGTERM)
            status = child.wait(STOP_PATIENCE_S)
    assert status == 0, Path(console.name).read_text()[-2000:]


def _wait_until_ready(child: subprocess.Popen[bytes], port: int, console: Path) -> None:
    deadline = time.monotonic() + START_PATIENCE_S
    while child.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    pytest.fail("Gantry did not start:\n" + console.read_text()[-3000:])


def credentials(environment: dict[str, str]) -> dict[str, Any]:
    """What `manage.py demo_credentials --json` prints."""
    printed = subprocess.run(
        [sys.executable, "manage.py", "demo_credentials", "--json"],
        cwd=django_settings.BASE_DIR,
        env=environment,
        check=True,
        capture_output=True,
    )
    found: dict[str, Any] = json.loads(printed.stdout)
    return found


@pytest.fixture(scope="session")
def gantry_instance() -> Iterator[Instance]:
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    folder = Path(tempfile.mkdtemp(prefix="gantry-e2e-"))
    port = free_port()
    with started(folder / "var", port) as environment:
        first, second = credentials(environment)["organizations"]
        yield Instance(
            base_url=f"http://127.0.0.1:{port}",
            var=folder / "var",
            organization=first,
            rival=second,
        )
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Per module: while it is open, no other test of this process may run an event loop."""
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@dataclass(kw_only=True)
class Window:
    """One page of one person, and what went wrong on it."""

    page: Page
    faults: list[str] = field(default_factory=list)

    def check(self) -> list[str]:
        """Return console errors and policy violations so far, and forget them."""
        violations = self.page.evaluate("window.violations.splice(0)")
        found = self.faults + [f"content security policy: {each}" for each in violations]
        self.faults.clear()
        return found


@pytest.fixture
def window(chromium) -> Iterator[Any]:
    """Open windows, each with cookies of its own; all close with the test."""
    opened: list[Window] = []

    def one_more() -> Window:
        opened.append(open_window(chromium))
        return opened[-1]

    yield one_more
    for each in opened:
        each.page.context.close()


def open_window(chromium: Browser) -> Window:
    context = chromium.new_context(
        viewport={"width": 1280, "height": 900}, reduced_motion="reduce", locale="en-GB"
    )
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(RECORD_VIOLATIONS)
    opened = Window(page=context.new_page())

    def note(line: Any) -> None:
        if line.type == "error":
            opened.faults.append(f"console: {line.text} {line.location.get('url')}")

    opened.page.on("console", note)
    opened.page.on("pageerror", lambda error: opened.faults.append(f"exception: {error}"))
    return opened


def sign_in(page: Page, instance: Instance, role: str) -> None:
    """Sign in by the form, with a login as `make run` prints it."""
    person = instance.person(role)
    page.goto(f"{instance.base_url}/accounts/login/")
    page.fill("input[name=login]", person["email"])
    page.fill("input[name=password]", person["password"])
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda url: "/accounts/login" not in url)


def accessibility_faults(page: Page) -> list[str]:
    # Preloading would make axe write inline styles, which the content security policy refuses.
    options = {"resultTypes": ["violations"], "preload": False}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


def take_screenshot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if CHROMIUM is None:
        terminalreporter.section("browser tests", sep="#", red=True, bold=True)
        terminalreporter.line(NO_CHROMIUM, red=True, bold=True)
