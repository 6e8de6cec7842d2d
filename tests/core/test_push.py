"""A push is written with its change, sent after the commit, and swept when that failed."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from core import push, tasks
from core.models import OutboxEntry
from core.push import Frame


class Layer:
    """Stands at the seam to Redis; keeps what it was given."""

    def __init__(self):
        self.sent = []
        self.broken = False

    async def group_send(self, group, message):
        if self.broken:
            raise ConnectionError("Redis is away")
        self.sent.append((group, message))


@pytest.fixture
def layer(monkeypatch):
    layer = Layer()
    monkeypatch.setattr(push, "get_channel_layer", lambda: layer)
    return layer


@pytest.fixture(autouse=True)
def _greeting(monkeypatch):
    monkeypatch.setattr(push, "_handlers", dict(push._handlers))
    push.register(
        "greet",
        lambda schema_name, payload: [
            Frame(schema_name=schema_name, topic="", kind="greet", version=1, text=payload["text"])
        ],
    )
    push.register("nothing", lambda schema_name, payload: [])


def test_it_is_sent_once_after_the_commit(in_acme, layer, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        push.enqueue("greet", {"text": "hello"})
        assert layer.sent == []

    ((group, message),) = layer.sent
    assert group == "live"
    assert message["frames"][0]["schema_name"] == "org_acme"
    assert message["frames"][0]["text"] == "hello"
    entry = OutboxEntry.objects.get()
    assert entry.relayed_at is not None
    assert push.relay("org_acme", entry.pk) is False


def test_rolled_back_change_pushes_nothing(in_acme, layer, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        push.enqueue("greet", {"text": "hello"})
        transaction.set_rollback(True)

    assert layer.sent == []
    assert not OutboxEntry.objects.exists()


def test_failed_relay_is_swept(in_acme, layer, django_capture_on_commit_callbacks):
    layer.broken = True
    with django_capture_on_commit_callbacks(execute=True):
        push.enqueue("greet", {"text": "hello"})
    assert OutboxEntry.objects.get().relayed_at is None
    layer.broken = False

    assert push.sweep("org_acme") == 1
    assert push.sweep("org_acme") == 0
    assert len(layer.sent) == 1


def test_sweeper_visits_every_active_organization(in_acme, rival, layer):
    OutboxEntry.objects.create(
        kind="greet", payload={"text": "x"}, created_at=timezone.now() - timedelta(minutes=1)
    )

    assert tasks.sweep_outbox.apply().get() == 1
    assert tasks.sweep_outbox.apply().get() == 0


def test_change_without_frames_sends_nothing(in_acme, layer, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        push.enqueue("nothing", {})

    assert layer.sent == []
    assert OutboxEntry.objects.get().relayed_at is not None


@pytest.mark.django_db(transaction=True)
def test_enqueueing_outside_a_transaction_is_a_bug(in_acme):
    with pytest.raises(AssertionError, match="goes with its change"):
        push.enqueue("greet", {"text": "hello"})


def test_entry_names_itself(in_acme):
    assert str(OutboxEntry(pk=7, kind="config")) == "config #7"
