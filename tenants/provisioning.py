"""How does a new organization get its schema in a tenth of a second?

Replaying migrations takes seconds. They run once in a scratch schema while every statement is
recorded; a new schema is made by executing that recording in one transaction. Existing schemas are
brought up to date in the same way when a release brings new migrations.
"""

from __future__ import annotations

import hashlib
import io
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations import RunPython, RunSQL
from django.db.migrations.loader import MigrationLoader

from core.tenancy import organization_context, public_context
from tenants.models import Organization, SchemaTemplate

SKIPPED = ("SELECT", "SET", "SAVEPOINT", "RELEASE", "ROLLBACK")
RECORDER_TABLE = 'INSERT INTO "django_migrations"'
PLAIN_PARAMETERS = (str, int, float, bool, type(None))
DEPLOY_LOCK = 0x47_41_4E_54_52_59  # "GANTRY"
Statement = tuple[str, list[Any] | None]


def migrate_everything() -> list[str]:
    """Bring `public` and every organization's schema to the migrations on disk.

    Takes milliseconds when nothing is new, waits for another process that does the same, and
    returns one sentence per thing done.
    """
    digest = migrations_digest()
    if is_migrated(digest):
        return []
    with _one_at_a_time():
        done = []
        if not _has_template(digest):
            call_command("migrate_schemas", shared=True, interactive=False, verbosity=0)
            current_template(digest)
            done.append("Migrated the shared tables.")
        count = upgrade_schemas(digest)
        if count:
            done.append(f"Migrated {count} organizations.")
    return done


def migrations_digest() -> str:
    """Return a digest of the migrations on disk and the SQL they make: the template's identity."""
    digest = hashlib.sha256()
    for (app, name), migration in sorted(MigrationLoader(None).disk_migrations.items()):
        digest.update(f"{app}.{name}\n".encode())
        digest.update(Path(str(sys.modules[migration.__module__].__file__)).read_bytes())
        for operation in migration.operations:
            if isinstance(operation, RunSQL):  # its text may come from a file, as the catalogue's
                digest.update(repr(operation.sql).encode())
    return digest.hexdigest()


def is_migrated(digest: str) -> bool:
    return _has_template(digest) and not _outdated(digest).exists()


def _has_template(digest: str) -> bool:
    with public_context(), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [SchemaTemplate._meta.db_table])
        (table,) = cursor.fetchone()
        return table is not None and SchemaTemplate.objects.filter(digest=digest).exists()


def _outdated(digest: str) -> Any:
    return Organization.objects.with_schema().exclude(schema_digest=digest)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Hold a lock on a connection of its own: migrating closes the usual one."""
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [DEPLOY_LOCK])
        yield
    finally:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [DEPLOY_LOCK])
        own.close()


def current_template(digest: str = "") -> SchemaTemplate:
    """Return the recording for the migrations on disk, making it when it is missing."""
    digest = digest or migrations_digest()
    with public_context():
        found = SchemaTemplate.objects.filter(digest=digest).first()
        if found is None:
            with _scratch_schema() as scratch:
                statements = _record_migration(scratch)
            found, _ = SchemaTemplate.objects.get_or_create(
                digest=digest, defaults={"statements": statements}
            )
    return found


def make_schema(schema_name: str, template: SchemaTemplate | None = None) -> None:
    """Create an organization's schema whole or not at all; existing schemas are refused."""
    template = template or current_template()
    with transaction.atomic(), organization_context(schema_name):
        _create_schema(schema_name)
        _replay(template.statements)


def schema_exists(schema_name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema_name])
        return cursor.fetchone() is not None


def drop_schema(schema_name: str) -> None:
    with public_context(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # rows not yet checked hold their table
        cursor.execute(f"DROP SCHEMA IF EXISTS {connection.ops.quote_name(schema_name)} CASCADE")


def upgrade_schemas(digest: str) -> int:
    """Bring every organization's schema to the migrations on disk; returns how many changed.

    The step from each old template is recorded once and replayed per organization. Migrations
    that run Python or cannot run in a transaction go the slow way, schema by schema.
    """
    steps: dict[str, list[Statement] | None] = {}
    outdated = list(_outdated(digest))
    for organization in outdated:
        before = organization.schema_digest
        if before not in steps:
            steps[before] = _recorded_step(before)
        _upgrade(organization, steps[before], digest)
    return len(outdated)


def _upgrade(organization: Organization, step: list[Statement] | None, digest: str) -> None:
    if step is None:
        _migrate(organization.schema_name)
    with transaction.atomic():
        if step:
            with organization_context(organization.schema_name):
                _replay(step)
        organization.schema_digest = digest
        organization.save(update_fields=["schema_digest"])


def _recorded_step(before: str) -> list[Statement] | None:
    """Return the statements from an old template to the migrations on disk, None if unsafe."""
    old = SchemaTemplate.objects.filter(digest=before).first()
    if old is None:
        return None
    with _scratch_schema() as scratch:
        with organization_context(scratch):
            _replay(old.statements)
        statements = _record_migration(scratch)
    return statements if _is_replayable(statements) else None


def _is_replayable(statements: list[Statement]) -> bool:
    disk = MigrationLoader(None).disk_migrations
    applied = [row for sql, row in statements if sql.startswith(RECORDER_TABLE) and row]
    tenant_apps = {app.rpartition(".")[2] for app in settings.TENANT_APPS}
    return all(
        disk[app, name].atomic
        and not any(isinstance(operation, RunPython) for operation in disk[app, name].operations)
        for app, name, *_ in applied
        if app in tenant_apps
    )


@contextmanager
def _scratch_schema() -> Iterator[str]:
    name = f"gantry_scratch_{secrets.token_hex(6)}"
    _create_schema(name)
    try:
        yield name
    finally:
        drop_schema(name)


def _create_schema(schema_name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {connection.ops.quote_name(schema_name)}")


def _replay(statements: list[Statement]) -> None:
    """Execute a recording; rows in it are checked at once, or a later ALTER TABLE is refused."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for sql, parameters in statements:
            cursor.execute(sql, parameters)


def _record_migration(schema_name: str) -> list[Statement]:
    statements: list[Statement] = []

    def recorder(
        execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        text = str(sql)
        if not text.lstrip().upper().startswith(SKIPPED) and "search_path" not in text:
            statements.append((text, [_plain(value) for value in params] if params else None))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(recorder):
        _migrate(schema_name)
    return statements


def _plain(value: Any) -> Any:
    """Return a parameter as JSON can keep it; PostgreSQL reads moments from text."""
    if isinstance(value, PLAIN_PARAMETERS):
        return value
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"A migration with the parameter {value!r} cannot be recorded: use RunSQL.")


def _migrate(schema_name: str) -> None:
    call_command(
        "migrate_schemas",
        schema_name=schema_name,
        tenant=True,
        interactive=False,
        verbosity=0,
        stdout=io.StringIO(),
    )
