"""How does a new organization get its schema in a tenth of a second?

Replaying migrations takes seconds. They run once in a scratch schema while every statement is
recorded; a new schema is made by executing that recording in one transaction.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from core.tenancy import organization_context, public_context
from tenants.models import SchemaTemplate

SCRATCH = "gantry_template_scratch"
SKIPPED = ("SELECT", "SET", "SAVEPOINT", "RELEASE", "ROLLBACK")
Statement = tuple[str, Any]


def migrations_digest() -> str:
    """Return a digest of the tenant migrations on disk: the template's identity."""
    loader = MigrationLoader(None)
    names = sorted(f"{app}.{name}" for app, name in loader.disk_migrations if _is_tenant(app))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _is_tenant(app_label: str) -> bool:
    return app_label in {app.rpartition(".")[2] for app in settings.TENANT_APPS}


def current_template() -> SchemaTemplate:
    """Return the recording for the migrations on disk, making it when it is missing."""
    digest = migrations_digest()
    with public_context():
        found = SchemaTemplate.objects.filter(digest=digest).first()
        if found is None:
            found, _ = SchemaTemplate.objects.get_or_create(
                digest=digest, defaults={"statements": _record()}
            )
    return found


def make_schema(schema_name: str) -> None:
    """Create an organization's schema whole or not at all; existing schemas are refused."""
    template = current_template()
    with transaction.atomic(), organization_context(schema_name), connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {connection.ops.quote_name(schema_name)}")
        for sql, parameters in template.statements:
            cursor.execute(sql, parameters)


def drop_schema(schema_name: str) -> None:
    with public_context(), connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {connection.ops.quote_name(schema_name)} CASCADE")


def _record() -> list[Statement]:
    statements: list[Statement] = []

    def recorder(
        execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        if not str(sql).lstrip().upper().startswith(SKIPPED) and "search_path" not in str(sql):
            # The recorder's own rows hold a moment; it is stored as text that PostgreSQL reads.
            values = [str(value) for value in params] if params else None
            statements.append((str(sql), values))
        return execute(sql, params, many, context)

    drop_schema(SCRATCH)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {SCRATCH}")
    with connection.execute_wrapper(recorder):
        call_command(
            "migrate_schemas",
            schema_name=SCRATCH,
            tenant=True,
            interactive=False,
            verbosity=0,
            stdout=io.StringIO(),
        )
    drop_schema(SCRATCH)
    return statements
