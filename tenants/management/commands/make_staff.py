"""Let somebody make organizations: platform staff."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tenants import operations
from tenants.models import User


class Command(BaseCommand):
    help = "Make a person platform staff; staff make organizations and have no rights inside them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--end", action="store_true", help="End it instead")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email=options["email"].lower()).first()
        if user is None:
            raise CommandError(f"{options['email']} has no account.")
        operations.set_staff(user=user, is_staff=not options["end"])
        self.stdout.write(f"{user.email} is {'no longer ' if options['end'] else ''}staff.")
