"""History is append-only, and every organization starts at version 1 with the catalogue published.

Plain SQL, so that the schema template can replay it. The catalogue is the one of the release that
makes the schema; `manage.py publish_catalogue` brings a later one as a version of its own.
"""

import json

from django.db import migrations

from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.resolution import catalogue_record


def first_version() -> str:
    record = catalogue_record(CATALOGUE)
    text = json.dumps(record).replace("'", "''")
    return f"""
INSERT INTO settings_hierarchy_change
    (version, kind, key, locked_before, locked_after, catalogue, comment, at,
     actor_kind, actor_id, actor_label)
VALUES
    (1, 'catalogue', '', FALSE, FALSE, '{text}', '', now(), 'system', 'provisioning', 'Gantry');
INSERT INTO settings_hierarchy_scopeversion (change_id) VALUES (1);
INSERT INTO settings_hierarchy_configstate (id, version, catalogue_digest)
VALUES (1, 1, '{record["digest"]}');
"""


APPEND_ONLY = """
CREATE FUNCTION refuse_history_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history of settings is append-only' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER change_append_only BEFORE UPDATE OR DELETE ON settings_hierarchy_change
    FOR EACH ROW EXECUTE FUNCTION refuse_history_change();
"""
MUTABLE = """
DROP TRIGGER change_append_only ON settings_hierarchy_change;
DROP FUNCTION refuse_history_change();
"""


class Migration(migrations.Migration):
    dependencies = [("settings_hierarchy", "0001_overrides_and_history")]
    operations = [
        migrations.RunSQL(
            first_version(),
            """
            DELETE FROM settings_hierarchy_configstate;
            DELETE FROM settings_hierarchy_override;
            DELETE FROM settings_hierarchy_scopeversion;
            DELETE FROM settings_hierarchy_change;
            """,
        ),
        migrations.RunSQL(APPEND_ONLY, MUTABLE),
    ]
