from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from sdk_keys import signing


class Command(BaseCommand):
    help = "Publish a new signing key; it signs ten minutes later, the old ones verify for 30 days."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--compromised",
            action="store_true",
            help="Withdraw every other key at once: open sessions end and snapshots are signed anew.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        key = signing.rotate(at=timezone.now(), compromised=options["compromised"])
        self.stdout.write(f"{key.kid} signs from {key.active_from:%Y-%m-%d %H:%M:%S} UTC")
