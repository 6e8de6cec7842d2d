"""Write docs/settings.md from the catalogue, or check that it is up to date."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.reference import settings_reference

PATH = settings.BASE_DIR / "docs" / "settings.md"


class Command(BaseCommand):
    help = "Write docs/settings.md from the catalogue; --check fails when it is out of date."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        text = settings_reference(CATALOGUE)
        present = PATH.read_text(encoding="utf-8") if PATH.exists() else ""
        if text == present:
            return
        if options["check"]:
            raise CommandError(
                "docs/settings.md is out of date: run manage.py write_settings_reference"
            )
        PATH.write_text(text, encoding="utf-8")
        self.stdout.write("docs/settings.md written")
