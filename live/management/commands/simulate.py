"""`manage.py simulate --viewers 200`: an audience for the demo's live streams."""

from __future__ import annotations

import asyncio
import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from live.audience import Audience, NoAudience, seats

MAX_VIEWERS = 20_000
REPORT_EVERY_S = 10


class Command(BaseCommand):
    help = "Lets viewers with the reference SDK watch the demo's live streams until stopped."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--viewers", type=int, default=200)
        parser.add_argument("--organization", default="", help="slug; default: all of the demo")
        parser.add_argument("--stream", default="", help="slug; default: the live one")
        parser.add_argument("--duration", type=float, default=0, help="seconds; 0: until stopped")
        parser.add_argument("--base-url", default=f"http://127.0.0.1:{settings.PORT}")
        parser.add_argument("--demo-file", type=Path, default=settings.VAR / "demo.json")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["viewers"] <= MAX_VIEWERS:
            raise CommandError(f"--viewers must be from 1 to {MAX_VIEWERS}.")
        try:
            places = seats(
                options["demo_file"], organization=options["organization"], stream=options["stream"]
            )
        except NoAudience as error:
            raise CommandError(str(error)) from error
        audience = Audience(options["base_url"], places, options["viewers"])
        asyncio.run(self._watch(audience, options["duration"]))

    async def _watch(self, audience: Audience, duration_s: float) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        if duration_s > 0:
            loop.call_later(duration_s, stop.set)
        watching = asyncio.create_task(audience.watch(stop))
        while not watching.done():
            self.stdout.write(audience.report())
            await asyncio.wait([watching], timeout=REPORT_EVERY_S)
        await watching
        self.stdout.write("The audience has left.")
