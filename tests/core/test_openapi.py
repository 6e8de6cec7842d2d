"""The OpenAPI file is valid, complete, and says what every error looks like."""

import re

import pytest
import yaml
from django.core.management import call_command


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    target = tmp_path_factory.mktemp("openapi") / "schema.yml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(target))
    return yaml.safe_load(target.read_text())


def operations(schema):
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_has_a_unique_name(schema):
    names = [operation["operationId"] for _, operation in operations(schema)]

    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in names), names


def test_every_operation_says_what_it_is(schema):
    assert [name for name, each in operations(schema) if not each.get("description")] == []


def test_every_operation_asks_for_the_token(schema):
    assert [
        name for name, each in operations(schema) if each["security"] != [{"apiToken": []}]
    ] == []


@pytest.mark.parametrize("status", ["400", "401", "403", "404", "503"])
def test_every_operation_documents_its_errors(schema, status):
    for name, operation in operations(schema):
        content = operation["responses"][status]["content"]
        assert list(content) == ["application/problem+json"], name


def test_schema_and_browsable_page_are_served(db, client):
    schema = client.get("/api/schema/")
    page = client.get("/api/docs/")
    script = client.get("/api/docs/?script=")

    assert schema.status_code == page.status_code == script.status_code == 200
    assert "openapi: 3" in schema.content.decode()
    assert "<style" not in page.content.decode()
    assert "<script>" not in page.content.decode()
    assert "javascript" in script["Content-Type"]
