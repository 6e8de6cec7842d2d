"""Make the demo's organizations once."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from live.showcase import credentials, seeding


class Command(BaseCommand):
    help = "Make the demo's two organizations; does nothing when they are there."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This is not a demo: seed_demo works only with GANTRY_DEMO=1.")
        if not seeding.is_seeded():
            seeding.seed(at=timezone.now())
            self.stdout.write("Made the demo's organizations.")
        elif not credentials.exist():
            self.stderr.write("The demo was seeded from another folder: its logins are there.")
