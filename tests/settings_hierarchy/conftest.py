"""A stream, two apps and a short way to write a setting in acme."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from core.tenancy import organization_context
from settings_hierarchy.models import Scope
from settings_hierarchy.operations import Written, set_override
from tests.factories import make_client, make_stream

NOW = datetime(2026, 11, 20, 21, 3, 17, tzinfo=UTC)


@pytest.fixture
def final(acme):
    return make_stream(acme, "final", title="The Final")


@pytest.fixture
def semifinal(acme):
    return make_stream(acme, "semifinal", title="Semi-final")


@pytest.fixture
def ios(acme):
    return make_client(acme, "ios", name="iOS app", platform="ios")


@pytest.fixture
def web(acme):
    return make_client(acme, "web", name="Web player")


@pytest.fixture
def put(acme, actor) -> Callable[..., Written]:
    """Return `put(key, value, scope)`: write in acme as the tester, now."""

    def write(key: str, value: object, scope: Scope | None = None, **fields) -> Written:
        with organization_context(acme.schema_name):
            return set_override(
                scope=scope or Scope(), key=key, value=value, actor=actor, at=NOW, **fields
            )

    return write


@pytest.fixture
def inside(acme):
    """Return `inside(read)`: read acme's rows in a test that sends requests."""

    def run(read):
        with organization_context(acme.schema_name):
            return read()

    return run
