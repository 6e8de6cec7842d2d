"""Make everything ready to serve: schemas, event store, catalogue, signing key, demo."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from analytics import clickhouse
from sdk_keys import signing
from tenants import provisioning


class Command(BaseCommand):
    help = "Migrate, publish and seed what is missing; quick when nothing is. Run before serving."

    def handle(self, *args: Any, **options: Any) -> None:
        for sentence in provisioning.migrate_everything():
            self.stdout.write(sentence)
        self._migrate_events()
        call_command("publish_catalogue", stdout=self.stdout)
        signing.refresh_ring(timezone.now())
        if settings.DEMO:
            call_command("seed_demo", stdout=self.stdout, stderr=self.stderr)

    def _migrate_events(self) -> None:
        """Pages and SDKs do without the event store for a while, so it holds up no start."""
        try:
            for name in clickhouse.migrate():
                self.stdout.write(f"Migrated the event store: {name}.")
        except clickhouse.AnalyticsUnavailable as error:
            self.stderr.write(f"The event store was left as it is: {error.message}")
