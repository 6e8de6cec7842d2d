"""Who watches the demo? Viewers that run the reference SDK and behave roughly like people."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom

from core.errors import DomainError
from sdks.python.gantry_sdk import Change, GantryClient, Options, Shared

TICK_S = 0.5
JOINS_PER_S = 20
HTTP_THREADS = 8
FLUSH_S = 10.0
STOP_S = 8.0
STAY_S = 900.0  # mean time a viewer stays; another comes in their place
MOMENT_EVERY_S = 75.0  # mean time between two moments that everybody reacts to
MOMENT_S = 8.0
MOMENT_FACTOR = 12
SHARES = {"web": 30, "ios": 26, "android": 22, "android_tv": 6, "tvos": 5, "fire_tv": 4}
OTHER_SHARE = 2
OVERLAYS = ("games", "statistics", "highlights", "betting", "watch_party", "public_chat")
REACTIONS = ("goal", "clap", "laugh", "shock", "heart")
PER_MINUTE = {"overlay": 0.8, "card": 0.3, "reaction": 1.0, "chat": 0.4, "promotion": 0.35}
CLICK_SHARE = 0.06
ERROR_SHARE = 0.002
DEVICES = {
    "ios": ("iOS 26", "iPhone 17"),
    "android": ("Android 16", "Pixel 10"),
    "web": ("macOS 26", "Chrome 156"),
    "tvos": ("tvOS 26", "Apple TV 4K"),
    "android_tv": ("Android TV 14", "Bravia"),
    "fire_tv": ("Fire OS 8", "Fire TV Stick 4K"),
}

chance = SystemRandom()


class NoAudience(DomainError):
    """The demo's file names nowhere to watch."""


@dataclass(frozen=True, kw_only=True)
class Seat:
    """One SDK application on one live stream."""

    organization: str
    stream: str
    client: str
    platform: str
    sdk_key: str


def seats(path: Path, *, organization: str = "", stream: str = "") -> list[Seat]:
    """Return the applications of the demo's live streams, or raise NoAudience."""
    try:
        document = json.loads(path.read_text())
        found = [
            Seat(
                organization=each["slug"],
                stream=stream or each["live_stream"],
                client=client["slug"],
                platform=client["platform"],
                sdk_key=client["sdk_key"],
            )
            for each in document["organizations"]
            if organization in ("", each["slug"])
            for client in each["clients"]
            if client.get("sdk_key") and (stream or each.get("live_stream"))
        ]
    except FileNotFoundError as error:
        raise NoAudience(f"{path} is not there: start the demo first (make run).") from error
    except (ValueError, KeyError, TypeError) as error:
        raise NoAudience(f"{path} is not what demo_credentials writes: {error!r}") from error
    if not found:
        raise NoAudience("No organization of the demo has a live stream and a client with a key.")
    return found


class Moments:
    """Now and then something happens that everybody on a stream reacts to."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}

    def factor(self, seat: Seat, now: float) -> float:
        return MOMENT_FACTOR if self._until.get((seat.organization, seat.stream), 0) > now else 1

    def advance(self, streams: Iterable[tuple[str, str]], now: float) -> None:
        for stream in streams:
            if chance.random() < TICK_S / MOMENT_EVERY_S:
                self._until[stream] = now + MOMENT_S


class Viewer:
    """One person with one application; what they do depends on the settings they were given."""

    def __init__(self, base_url: str, seat: Seat, shared: Shared) -> None:
        system, model = DEVICES.get(seat.platform, (seat.platform, "television"))
        device = {"platform": seat.platform, "os": system, "model": model}
        options = Options(shared=shared, device=device, flush_s=FLUSH_S * (0.5 + chance.random()))
        self.seat = seat
        self.leaves_at = time.monotonic() + chance.expovariate(1 / STAY_S)
        self.client = GantryClient(base_url, seat.sdk_key, stream=seat.stream, options=options)
        self.client.on_change(self._applied)
        self.tracked = 0
        self.reached_after_ms: dict[int, float] = {}
        self._open: tuple[str, float] | None = None

    def act(self, now: float, factor: float) -> None:
        """Do what a person does in one tick."""
        if self._open and now >= self._open[1]:
            self._track("overlay_closed", overlay=self._open[0])
            self._open = None
        if self._moved("overlay", 1) and self._open is None:
            self._open_overlay(now)
        if self._open and self._moved("card", factor):
            self._track("card_answered", card="poll", option=chance.randrange(4))
        if self._moved("reaction", factor):
            self._track("reaction", emoji=chance.choice(REACTIONS))
        if self.client.get("overlays.public_chat.enabled") and self._moved("chat", factor):
            self._track("chat_sent", length=chance.randint(3, 120))
        if self.client.get("promotions.enabled") and self._moved("promotion", 1):
            self._see_promotion()

    def _open_overlay(self, now: float) -> None:
        shown = [each for each in OVERLAYS if self.client.get(f"overlays.{each}.enabled")]
        if shown:
            overlay = chance.choice(shown)
            self._open = (overlay, now + chance.uniform(5, 40))
            self._track("overlay_shown", overlay=overlay)

    def _see_promotion(self) -> None:
        promotion = f"promotion-{chance.randint(1, 3)}"
        self._track("promotion_shown", promotion=promotion)
        if chance.random() < CLICK_SHARE:
            self._track("promotion_clicked", promotion=promotion)

    def _applied(self, change: Change) -> None:
        if self.client.status == "live":  # a push, not the snapshot of a new session
            published_at = datetime.fromisoformat(change.published_at)
            passed = datetime.now(UTC) - published_at
            self.reached_after_ms = {change.version: passed.total_seconds() * 1000}
        self._track("config_applied", version=change.version, changed=len(change.values))
        if chance.random() < ERROR_SHARE:
            self._track("error", code="render-failed")

    def _moved(self, what: str, factor: float) -> bool:
        return chance.random() < PER_MINUTE[what] / 60 * TICK_S * factor

    def _track(self, kind: str, **properties: str | float | bool) -> None:
        self.tracked += 1
        self.client.track(kind, properties)


class Audience:
    """So many viewers over the seats, each platform with its share; those who leave are replaced."""

    def __init__(self, base_url: str, places: list[Seat], viewers: int) -> None:
        self._base_url = base_url
        self._places = places
        self._wanted = viewers
        self._shared = Shared(HTTP_THREADS)
        self._viewers: list[Viewer] = []
        self._moments = Moments()
        self._tracked_by_the_gone = 0
        self._counters: Counter[str] = Counter()

    async def watch(self, stop: asyncio.Event) -> None:
        """Let them come, act and go until `stop` is set."""
        streams = {(seat.organization, seat.stream) for seat in self._places}
        due = 0.0
        while not stop.is_set():
            due = min(due + JOINS_PER_S * TICK_S, self._wanted - len(self._viewers))
            for _ in range(int(due)):
                await self._join()
            due -= int(due)
            await self._pass_time(streams)
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await stop.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                leaving, self._viewers = self._viewers, []
                await asyncio.gather(*map(self._leave, leaving))
        self._shared.http.close()

    async def _pass_time(self, streams: Iterable[tuple[str, str]]) -> None:
        now = time.monotonic()
        self._moments.advance(streams, now)
        for viewer in list(self._viewers):
            if now >= viewer.leaves_at:
                self._viewers.remove(viewer)
                await self._leave(viewer)
            elif viewer.client.status == "live":
                viewer.act(now, self._moments.factor(viewer.seat, now))

    async def _join(self) -> None:
        weights = [SHARES.get(seat.platform, OTHER_SHARE) for seat in self._places]
        (seat,) = chance.choices(self._places, weights)
        viewer = Viewer(self._base_url, seat, self._shared)
        viewer.client.on_error(lambda reason, detail: self._counters.update([reason]))
        self._viewers.append(viewer)
        await viewer.client.start()

    async def _leave(self, viewer: Viewer) -> None:
        self._tracked_by_the_gone += viewer.tracked
        await viewer.client.stop()

    def report(self) -> str:
        """Return one line: who is live, on which version, and what was refused."""
        states = Counter(viewer.client.status for viewer in self._viewers)
        versions = Counter((v.seat.organization, v.client.version) for v in self._viewers)
        shown = ", ".join(
            f"{n} on {name} v{version}" for (name, version), n in versions.most_common(4)
        )
        tracked = self._tracked_by_the_gone + sum(viewer.tracked for viewer in self._viewers)
        reached = self._newest_reached()
        faults = {k: n for k, n in self._counters.items() if k != "waiting"}
        return (
            f"{states['live']} of {self._wanted} live ({shown or 'nobody yet'}), "
            f"{states['refused']} refused, {self._counters['waiting']} retries, {tracked} events"
            + (f", newest change reached {reached}" if reached else "")
            + (f", faults {dict(faults)}" if faults else "")
        )

    def _newest_reached(self) -> str:
        """Return how soon after its publish the newest change was in force, and at how many."""
        newest = max((v for each in self._viewers for v in each.reached_after_ms), default=0)
        after_ms = sorted(
            viewer.reached_after_ms[newest]
            for viewer in self._viewers
            if newest in viewer.reached_after_ms
        )
        if not after_ms:
            return ""
        median, late = (after_ms[int(len(after_ms) * share)] for share in (0.5, 0.95))
        return f"{len(after_ms)} within {median:.0f} ms (p95 {late:.0f} ms)"
