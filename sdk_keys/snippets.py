"""What does a developer paste to connect? Checked against the SDKs and docs/sdk-protocol.md."""

from __future__ import annotations

from dataclasses import dataclass

from sdk_keys.models import SdkKey

JAVASCRIPT = """\
// The file is sdks/js/gantry.js; this server has it at /static/sdks/gantry.js
import {{ GantryClient }} from "./gantry.js";

const key = "{key}";
const gantry = new GantryClient("{base_url}", key, {{ stream: "{stream}" }});
gantry.onChange(({{ values }}) => console.log("changed", values));
await gantry.start(); // never waits for the network

if (gantry.get("overlays.games.enabled", true)) showGames();"""

PYTHON = """\
import asyncio
from pathlib import Path

from gantry_sdk import GantryClient  # sdks/python


async def main() -> None:
    gantry = GantryClient(
        "{base_url}",
        "{key}",
        stream="{stream}",
        cache=Path("gantry-cache"),  # a folder
    )
    async with gantry:
        gantry.on_change(lambda change: print("changed", dict(change.values)))
        print(gantry.get("overlays.games.enabled", True))
        await asyncio.sleep(3600)


asyncio.run(main())"""

CURL = """\
curl -sS {base_url}/sdk/v1/sessions \\
  -H 'X-SDK-Key: {key}' \\{origin}
  -H 'Content-Type: application/json' \\
  -d '{{"stream": "{stream}", "sdk": {{"name": "curl", "version": "8"}}}}'

# The answer holds a token for an hour and the settings. Later:
curl -sS {base_url}/sdk/v1/config -H 'Authorization: Bearer <token>' -i"""

OPENFEATURE = """\
import {{ OpenFeature }} from "@openfeature/web-sdk";
import {{ GantryClient }} from "./gantry.js";

const key = "{key}";
const gantry = new GantryClient("{base_url}", key, {{ stream: "{stream}" }});
await gantry.start();

const resolve = (flagKey, defaultValue) => ({{ value: gantry.get(flagKey, defaultValue) }});
await OpenFeature.setProviderAndWait({{
  metadata: {{ name: "gantry" }},
  runsOn: "client",
  resolveBooleanEvaluation: resolve,
  resolveStringEvaluation: resolve,
  resolveNumberEvaluation: resolve,
  resolveObjectEvaluation: resolve,
}});

const flags = OpenFeature.getClient();
flags.getBooleanValue("overlays.games.enabled", true);"""


@dataclass(frozen=True, kw_only=True)
class Snippet:
    """One way to connect, ready to copy."""

    name: str
    code: str


def snippets(*, base_url: str, key: str, stream: str, origin: str = "") -> list[Snippet]:
    """Return the snippets; `origin` is one that the key accepts, sent where a browser would."""
    sent = f"\n  -H 'Origin: {origin}' \\" if origin else ""
    parts = {"base_url": base_url, "key": key, "stream": stream, "origin": sent}
    texts = {
        "JavaScript": JAVASCRIPT,
        "Python": PYTHON,
        "curl": CURL,
        "OpenFeature": OPENFEATURE,
    }
    return [Snippet(name=name, code=text.format(**parts)) for name, text in texts.items()]


def placeholder(key: SdkKey | None) -> str:
    """Return what stands for a key whose secret nobody can read any more."""
    kind, public_id = (key.kind, key.public_id) if key else ("publishable", "…")
    return f"gk_{kind}_{public_id}_<secret>"
