"""Carries accepted events from the buffer into ClickHouse until it is told to stop."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from analytics.ingest import Ingest


class Command(BaseCommand):
    help = "Carry accepted events from Redis into ClickHouse. SIGTERM finishes the batch and stops."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Ingest(settings.REDIS_URL, stop).run()
