"""Close an organization, or open it again with --resume."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from core.audit import Actor
from core.tenancy import find_organization
from tenants import operations


class Command(BaseCommand):
    help = "Suspend an organization: pages, API and SDKs are refused, nothing is deleted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--resume", action="store_true", help="Open it again")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = find_organization(options["slug"])
        if organization is None:
            raise CommandError(f"There is no organization {options['slug']}.")
        change = (
            operations.resume_organization if options["resume"] else operations.suspend_organization
        )
        change(
            organization=organization,
            actor=Actor.system("suspend_organization"),
            at=timezone.now(),
        )
        organization.refresh_from_db()
        self.stdout.write(f"{organization.name} is {organization.status}.")
