"""Make this release's settings catalogue a config version in every organization."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from core.audit import Actor
from core.tenancy import organization_context
from settings_hierarchy.operations import publish_catalogue
from tenants.models import Organization


class Command(BaseCommand):
    help = (
        "Publish this release's settings catalogue in every organization. Run it after migrating; "
        "organizations that have it already are left alone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", help="only this one")

    def handle(self, *args: Any, **options: Any) -> None:
        organizations = Organization.objects.with_schema()
        if options["organization"]:
            organizations = organizations.filter(slug=options["organization"])
        for organization in organizations:
            with organization_context(organization.schema_name):
                written = publish_catalogue(actor=Actor.system("release"), at=timezone.now())
            if written.change is not None and options["verbosity"] > 0:
                self.stdout.write(f"{organization.slug}: catalogue is version {written.version}")
