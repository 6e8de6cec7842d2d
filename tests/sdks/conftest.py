"""Both SDKs meet the product with the organizations and the live process of the live tests."""

import pytest

from tests.live.conftest import Process, drop_places, other_place, place, valkey

__all__ = ["drop_places", "other_place", "place", "valkey"]


class Restartable:
    """A live process that can go away and come back on its port; there is one hub in it."""

    def __init__(self):
        self._running = Process()
        self._running.start()
        self.port = self._running.port

    def stop(self):
        self._running.stop()

    def start(self):
        self._running = Process()
        self._running.server.config.port = self.port
        self._running.start()


@pytest.fixture(scope="module")
def process(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        running = Restartable()
        yield running
        running.stop()
