"""Make an organization from the command line, with its first owner."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from core.audit import Actor
from core.errors import DomainError
from tenants import operations
from tenants.models import User, valid_slug


class Command(BaseCommand):
    help = "Make an organization; the owner's account must exist, or give --password to make it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("name")
        parser.add_argument("owner", help="E-mail address of the first owner")
        parser.add_argument("--password", help="Makes the owner's account when it is missing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            valid_slug(options["slug"])
            organization = operations.create_organization(
                name=options["name"],
                slug=options["slug"],
                owner=_owner(options["owner"].lower(), options["password"]),
                actor=Actor.system("create_organization"),
                at=timezone.now(),
            )
            operations.provision(organization=organization, at=timezone.now())
        except (DomainError, ValidationError) as error:
            message = error.message if isinstance(error, DomainError) else error.messages[0]
            raise CommandError(message) from error
        self.stdout.write(f"{organization.name} is ready at /o/{organization.slug}/")


def _owner(email: str, password: str | None) -> User:
    found = User.objects.filter(email=email).first()
    if found is not None:
        return found
    if not password:
        raise CommandError(f"{email} has no account: give --password to make it.")
    return User.objects.create_user(email, password)
