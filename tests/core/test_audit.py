"""Audit rows go with their change, stay, and say who."""

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, transaction
from django.test import RequestFactory
from django.utils import timezone

from core import audit
from core.audit import Actor, Target
from core.models import AuditEntry

TARGET = Target(type="stream", id="final", label="Final")


@pytest.fixture
def entry(in_acme, actor):
    return audit.record(
        action="stream.create", actor=actor, target=TARGET, at=timezone.now(), after={"a": 1}
    )


def test_row_tells_who_what_and_from_where(entry, actor):
    entry.refresh_from_db()

    assert entry.actor_label == actor.label
    assert entry.address == actor.address
    assert (entry.target_type, entry.target_id, entry.target_label) == ("stream", "final", "Final")
    assert (entry.before, entry.after, entry.result) == (None, {"a": 1}, "done")


def test_row_is_neither_changed_nor_removed(entry):
    for change in (
        lambda: AuditEntry.objects.update(action="nothing"),
        lambda: AuditEntry.objects.all().delete(),
        lambda: entry.save(),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()

    assert AuditEntry.objects.get().action == "stream.create"


def test_row_goes_with_its_change(in_acme, actor):
    with transaction.atomic():
        audit.record(action="x", actor=actor, target=TARGET, at=timezone.now())
        transaction.set_rollback(True)

    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_recording_outside_a_transaction_is_a_bug(in_acme, actor):
    with pytest.raises(AssertionError, match="go with their change"):
        audit.record(action="x", actor=actor, target=TARGET, at=timezone.now())


class TestActor:
    def request(self, user, **more):
        request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7")
        request.user = user
        for name, value in more.items():
            setattr(request, name, value)
        return request

    def test_person(self, viewer):
        actor = Actor.of(self.request(viewer))

        assert (actor.kind, actor.id, actor.label) == ("person", str(viewer.pk), viewer.email)
        assert actor.address == "192.0.2.7"

    def test_token(self, viewer):
        token = SimpleNamespace(public_id="tok1", name="import")

        actor = Actor.of(self.request(viewer, auth=token))

        assert (actor.kind, actor.id, actor.label) == ("token", "tok1", "import")

    def test_nobody(self):
        assert Actor.of(self.request(AnonymousUser())).kind == "anonymous"

    def test_process(self):
        assert Actor.system("beat").kind == "system"


@pytest.mark.parametrize(("method", "rows"), [("get", 0), ("head", 0), ("post", 1), ("delete", 1)])
def test_refused_writes_are_recorded_and_looks_are_not(in_acme, viewer, method, rows):
    request = getattr(RequestFactory(), method)("/o/acme/" + "x" * 400)
    request.user = viewer

    audit.record_refusal(request, "streams.change")

    assert AuditEntry.objects.filter(result="refused").count() == rows


def test_entry_reads_as_a_sentence(entry):
    assert str(entry) == "stream.create Final"
