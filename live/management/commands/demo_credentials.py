"""Print how to get into the demo: people, SDK keys, API tokens."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from live.showcase import credentials


class Command(BaseCommand):
    help = "Print the demo's logins and keys; refused outside demo mode."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            document = credentials.read()
        except credentials.NoDemo as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps(document))
            return
        for line in _lines(document):
            self.stdout.write(line)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    for organization in document["organizations"]:
        address = f"{document['base_url']}/o/{organization['slug']}/"
        yield f"{organization['name']}  {address}"
        for person in organization["people"]:
            yield f"  {person['role']:<10} {person['email']:<32} {person['password']}"
        for client in organization["clients"]:
            yield f"  {client['platform']:<12} {client['slug']:<30} {client['sdk_key']}"
        yield f"  API token    {organization['api_token']}"
        yield ""
