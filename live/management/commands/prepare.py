"""Make everything ready to serve: schemas, the first signing key, the demo."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from sdk_keys import signing
from tenants import provisioning


class Command(BaseCommand):
    help = "Migrate, publish and seed what is missing; quick when nothing is. Run before serving."

    def handle(self, *args: Any, **options: Any) -> None:
        for sentence in provisioning.migrate_everything():
            self.stdout.write(sentence)
        signing.refresh_ring(timezone.now())
        if settings.DEMO:
            call_command("seed_demo", stdout=self.stdout)
