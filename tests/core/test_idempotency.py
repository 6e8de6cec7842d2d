"""The same POST twice is done once and answered twice."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from core import idempotency, tasks
from core.models import IdempotencyRecord
from core.tenancy import organization_context
from tenants.models import ApiToken

URL = "/api/v1/organizations/acme/tokens"
BODY = {"name": "import", "role": "viewer"}


@pytest.fixture
def caller(api):
    return api()


def send(caller, key, body=BODY, url=URL):
    return caller.post(url, body, content_type="application/json", headers={"Idempotency-Key": key})


def made():
    return ApiToken.objects.filter(name="import").count()


def test_same_request_gets_the_stored_answer(caller):
    first = send(caller, "one")
    second = send(caller, "one")

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert made() == 1


def test_order_of_the_fields_does_not_matter(caller):
    send(caller, "one")

    answer = send(caller, "one", {"role": "viewer", "name": "import"})

    assert answer["Idempotency-Replayed"] == "true"


def test_another_body_is_refused(caller):
    send(caller, "one")

    answer = send(caller, "one", BODY | {"role": "analyst"})

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/idempotency-key-reused"
    assert made() == 1


def test_another_address_is_refused(caller):
    send(caller, "one")

    answer = send(caller, "one", url="/api/v1/organizations/acme/invitations")

    assert answer.status_code == 422


def test_another_key_or_none_is_another_request(caller):
    send(caller, "one")
    send(caller, "two")
    caller.post(URL, BODY, content_type="application/json")

    assert made() == 3


def test_keys_of_tokens_do_not_meet(caller, api):
    send(caller, "one")
    send(api(), "one")

    assert made() == 2


def test_keys_of_organizations_do_not_meet(caller, rival, api):
    send(caller, "one")

    send(api(organization=rival), "one", url="/api/v1/organizations/rival/tokens")

    assert made() == 2


def test_refused_request_is_not_stored(acme, caller):
    refused = send(caller, "one", BODY | {"role": "owner"})
    mended = send(caller, "one")

    assert (refused.status_code, mended.status_code) == (403, 201)
    with organization_context(acme.schema_name):
        assert IdempotencyRecord.objects.count() == 1


def test_first_request_that_is_still_running_answers_409(caller):
    token_id = ApiToken.objects.get().public_id
    other = connection.copy()
    try:
        with organization_context("org_acme"):
            number = lock_number(token_id, "one")
        other.connect()
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [number])

        answer = send(caller, "one")
    finally:
        other.close()

    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/idempotency-conflict"
    assert made() == 0


def lock_number(token_id, key):
    """Ask the code which lock it takes, by letting it take it and looking."""
    taken: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(idempotency, "connection", Recorder(taken))
        idempotency._lock(token_id, key)
    return taken[0]


class Recorder:
    def __init__(self, taken):
        self.taken = taken

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def execute(self, sql, parameters):
        self.taken.extend(parameters)

    def fetchone(self):
        return (True,)


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 129, "\x7f", "é"])
def test_illegal_key_is_refused(caller, key):
    answer = send(caller, key)

    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/invalid-idempotency-key"
    assert made() == 0


@pytest.mark.parametrize("key", ["x" * 128, "0c5b7a1e-9a1d-4f5e-8d7f-1a2b3c4d5e6f", "!~"])
def test_legal_key_is_taken(caller, key):
    assert send(caller, key).status_code == 201


def test_bad_body_is_told_as_ever(caller):
    answer = caller.post(
        URL, "{", content_type="application/json", headers={"Idempotency-Key": "one"}
    )

    assert answer.status_code == 400


def test_key_on_other_methods_is_ignored(caller):
    assert caller.get(URL, headers={"Idempotency-Key": "a b"}).status_code == 200


def test_stored_answer_is_sealed(acme, caller):
    token = send(caller, "one").json()["token"]

    with organization_context(acme.schema_name):
        stored = IdempotencyRecord.objects.get()
    assert token not in stored.body
    assert str(stored) == "one"


def test_answers_are_forgotten_after_a_day(acme, caller):
    send(caller, "one")
    with organization_context(acme.schema_name):
        assert idempotency.forget_old_answers(at=timezone.now()) == 0
        IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=25))

    assert tasks.forget_idempotent_answers.apply().get() == 1

    assert send(caller, "one").status_code == 201
    assert made() == 2


def test_openapi_names_the_header(db, tmp_path):
    target = tmp_path / "schema.yml"
    call_command("spectacular", file=str(target))

    assert "Idempotency-Key" in target.read_text()
