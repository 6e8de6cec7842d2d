"""The JavaScript SDK in a real browser: WebCrypto, localStorage and the browser's own socket."""

import shutil
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from tests.sdks.scripted_server import PREFIX, ScriptedServer, Signer, serving

CHROMIUM = shutil.which("chromium") or ""
MODULE = Path(__file__).parents[2] / "sdks" / "js" / "gantry.js"
PAGE = """<!doctype html><title>viewer</title><script type="module">
import { GantryClient } from "/gantry.js";
window.gantry = new GantryClient(location.origin + "/edge", "gk_publishable_a1b2c3d4e5f6_secret", {
  stream: "final", automaticEvents: false, timeScale: 0.02 });
window.faults = [];
window.gantry.onError((reason, detail) => window.faults.push(detail));
await window.gantry.start();
window.started = true;
</script>"""
DELTA = {"config": {"base": 1, "version": 2, "changes": {"colour": "blue"}}}
FORGED = {"config": {"base": 2, "version": 3, "changes": {"colour": "evil"}, "key": "stranger"}}
HELLO = {"expect": {"type": "hello"}}
AWAY = {"POST sessions": [{"status": 503, "headers": {"Retry-After": 600}}]}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is missing: the SDK is NOT TESTED in it"),
]


class Site:
    """The page and the module beside the scripted server, on one origin."""

    def __init__(self, server):
        self.server = server

    async def __call__(self, scope, receive, send):
        if scope["path"].startswith(PREFIX):
            await self.server(scope, receive, send)
            return
        script = scope["path"] == "/gantry.js"
        kind = b"text/javascript" if script else b"text/html"
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]}
        await send(start)
        body = MODULE.read_bytes() if script else PAGE.encode()
        await send({"type": "http.response.body", "body": body})


async def test_browser_applies_refuses_and_starts_from_its_cache():
    signer = Signer()
    phase = {
        "sockets": [[HELLO, {"current": 1}, DELTA, {"expect": {"type": "ack"}}, FORGED]],
        "http": {"GET config": [{"jws": {"version": 2, "settings": {"colour": "blue"}}}]},
    }
    site = Site(ScriptedServer(signer, phase, time_scale=0.02))
    async with serving(site) as base_url, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page()

        await page.goto(base_url.removesuffix(PREFIX) + "/")
        await page.wait_for_function("window.gantry?.counters['unknown-kid'] === 1")
        held = await page.evaluate("[gantry.version, gantry.get('colour'), gantry.status]")
        acks = [frame["version"] for frame in site.server.seen.of("ack")]
        site.server = ScriptedServer(signer, {"http": AWAY}, time_scale=0.02)
        await page.reload()
        await page.wait_for_function("window.started")
        after = await page.evaluate("[gantry.version, gantry.get('colour'), gantry.status]")
        await browser.close()

    assert held == [2, "blue", "live"]
    assert acks[0] == 2
    assert after == [2, "blue", "connecting"]
