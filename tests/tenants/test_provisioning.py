"""A schema made by replay is the one that migrations make, whole or not at all, and quick."""

import time

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection
from django.db.migrations import RunPython, RunSQL
from django.db.migrations.loader import MigrationLoader

from core.tenancy import organization_context
from tenants import provisioning
from tenants.models import Organization, SchemaTemplate


@pytest.fixture
def schema(db):
    """A name for a schema of this test; whatever is made there goes with the transaction."""
    return "org_by_replay"


def tables(schema_name):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = %s", [schema_name]
        )
        return cursor.fetchone()[0]


def columns(schema_name):
    """Every column with its type and default, every constraint, index, trigger and sequence."""
    queries = [
        """SELECT table_name, column_name, data_type, is_nullable, column_default,
                  character_maximum_length, is_identity
           FROM information_schema.columns WHERE table_schema = %s""",
        """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(c.oid)
           FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace WHERE nspname = %s""",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = %s",
        """SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t
           JOIN pg_class r ON r.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace
           WHERE NOT tgisinternal AND nspname = %s""",
        """SELECT proname, pg_get_functiondef(p.oid) FROM pg_proc p
           JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = %s""",
        "SELECT sequencename, data_type::text FROM pg_sequences WHERE schemaname = %s",
    ]
    found = []
    with connection.cursor() as cursor:
        for query in queries:
            cursor.execute(query, [schema_name])
            rows = [str(row).replace(schema_name, "SCHEMA") for row in cursor.fetchall()]
            found.append(sorted(rows))
    return found


def rows_of(schema_name):
    """What the tables hold, without moments: a new organization starts with some rows."""
    with organization_context(schema_name), connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations ORDER BY id")
        return cursor.fetchall()


@pytest.fixture
def migrated(db):
    """A schema made the slow way."""
    name = "org_by_migration"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {name}")
    call_command("migrate_schemas", schema_name=name, tenant=True, interactive=False, verbosity=0)
    return name


def test_replayed_schema_equals_a_migrated_one(schema, migrated):
    provisioning.make_schema(schema)

    assert columns(schema) == columns(migrated)
    assert rows_of(schema) == rows_of(migrated)
    assert tables(schema) > 5


def test_it_takes_less_than_a_second(schema):
    provisioning.current_template()

    begun = time.perf_counter()
    provisioning.make_schema(schema)

    assert time.perf_counter() - begun < 1


def test_existing_schema_is_refused(acme):
    before = tables(acme.schema_name)

    with pytest.raises(ProgrammingError):
        provisioning.make_schema(acme.schema_name)

    assert tables(acme.schema_name) == before


def test_half_a_recording_makes_nothing(schema):
    whole = provisioning.current_template()
    half = SchemaTemplate(
        digest="half", statements=[*whole.statements[:4], ["SELECT nothing", None]]
    )

    with pytest.raises(ProgrammingError):
        provisioning.make_schema(schema, half)

    assert not provisioning.schema_exists(schema)


def test_template_is_recorded_once(db):
    first = provisioning.current_template()

    assert provisioning.current_template().pk == first.pk


def test_digest_follows_the_sql_of_migrations(monkeypatch):
    before = provisioning.migrations_digest()
    loader = MigrationLoader(None)
    operation = next(
        operation
        for migration in loader.disk_migrations.values()
        for operation in migration.operations
        if isinstance(operation, RunSQL)
    )

    monkeypatch.setattr(operation, "sql", "SELECT 'another catalogue'")
    monkeypatch.setattr(provisioning, "MigrationLoader", lambda _: loader)

    assert provisioning.migrations_digest() != before


def test_parameters_that_json_cannot_keep_are_refused():
    with pytest.raises(TypeError, match="RunSQL"):
        provisioning._plain(object())


class TestUpgrade:
    """A release brings migrations: organizations get them by replay where that is safe."""

    @pytest.fixture
    def old(self, db):
        """An organization whose schema was made before the streams app existed."""
        whole = provisioning.current_template()
        before = SchemaTemplate.objects.create(digest="old", statements=whole.statements)
        provisioning.make_schema("org_old", before)
        return Organization.objects.create(
            slug="old",
            name="Old",
            schema_name="org_old",
            status=Organization.Status.ACTIVE,
            schema_digest="old",
        )

    def test_nothing_new_only_notes_the_digest(self, old):
        digest = provisioning.migrations_digest()
        Organization.objects.exclude(pk=old.pk).update(schema_digest=digest)

        count = provisioning.upgrade_schemas(digest)

        old.refresh_from_db()
        assert count == 1
        assert old.schema_digest == digest

    def test_recorded_step_is_replayed(self, old, monkeypatch):
        digest = provisioning.migrations_digest()
        Organization.objects.exclude(pk=old.pk).update(schema_digest=digest)
        step = [["CREATE TABLE brought_by_release (id int)", None]]
        monkeypatch.setattr(provisioning, "_recorded_step", lambda before: step)

        provisioning.upgrade_schemas(digest)

        with organization_context("org_old"), connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM brought_by_release")
            assert cursor.fetchone() == (0,)

    def test_unknown_template_is_migrated_the_slow_way(self, old, monkeypatch):
        digest = provisioning.migrations_digest()
        Organization.objects.exclude(pk=old.pk).update(schema_digest=digest)
        SchemaTemplate.objects.filter(digest="old").delete()
        migrated: list[str] = []
        monkeypatch.setattr(provisioning, "_migrate", migrated.append)

        provisioning.upgrade_schemas(digest)

        assert migrated == ["org_old"]

    def test_python_in_a_migration_is_not_replayed(self):
        loader = MigrationLoader(None)
        app, name = next(key for key in loader.disk_migrations if key[0] == "streams")
        migration = loader.disk_migrations[app, name]
        statement: provisioning.Statement = (
            f"{provisioning.RECORDER_TABLE} (…)",
            [app, name, "now"],
        )

        assert provisioning._is_replayable([statement])

        migration_with_code = type(
            "Migration",
            (type(migration),),
            {"operations": [RunPython(lambda apps, editor: None)]},
        )(name, app)
        loader.disk_migrations[app, name] = migration_with_code
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(provisioning, "MigrationLoader", lambda _: loader)
            assert not provisioning._is_replayable([statement])


def test_migrate_everything_does_nothing_the_second_time(db):
    Organization.objects.update(schema_digest="")
    first = provisioning.migrate_everything()

    begun = time.perf_counter()
    again = provisioning.migrate_everything()

    assert first
    assert again == []
    assert time.perf_counter() - begun < 1
