"""A client whose application was quiet for a while is pushed to again: nobody is forgotten."""

import time

import pytest

from live.process import current_hub
from live.watch import IDLE_S
from tests.live.conftest import Sdk, in_thread, receive

pytestmark = pytest.mark.django_db


async def test_session_older_than_the_idle_time_still_gets_pushes(process, place):
    sdk = Sdk(process.port, place.keys["web"])
    await sdk.open()
    await sdk.config()
    current_hub().watch.drop_idle(time.time() + IDLE_S + 1)

    socket = await sdk.connect(hello=sdk.snapshot["version"])
    await receive(socket)
    await in_thread(place.publish, "ui.tooltips_enabled", False)

    assert (await receive(socket))["type"] == "config"
    await sdk.http.aclose()


async def test_pair_that_was_just_made_is_not_idle(process):
    registry = current_hub().registry

    pair = registry.organization("org_new", "new").pair("derby", "web")
    current_hub().watch.drop_idle(time.time())

    assert registry.organization("org_new", "new").pair("derby", "web") is pair
