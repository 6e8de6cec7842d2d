"""The simulated audience: where it sits, what it does, how it leaves."""

import asyncio
import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from live.audience import Audience, NoAudience, Seat, seats
from tests.live.conftest import in_thread


def write(path, organizations):
    path.write_text(json.dumps({"organizations": organizations}))
    return path


def organization(slug, **fields):
    client = {"slug": "web", "platform": "web", "sdk_key": "gk_publishable_a_b"}
    return {"slug": slug, "live_stream": "derby", "clients": [client], **fields}


def test_seats_are_the_applications_of_the_live_streams(tmp_path):
    keyless = [{"slug": "tv", "platform": "roku", "sdk_key": ""}]
    path = write(
        tmp_path / "demo.json",
        [
            organization("acme"),
            organization("rival", clients=keyless),
            organization("off", live_stream=None),
        ],
    )

    assert seats(path) == [
        Seat(
            organization="acme",
            stream="derby",
            client="web",
            platform="web",
            sdk_key="gk_publishable_a_b",
        )
    ]


def test_seats_can_be_narrowed(tmp_path):
    path = write(tmp_path / "demo.json", [organization("acme"), organization("rival")])

    (seat,) = seats(path, organization="rival", stream="final")

    assert (seat.organization, seat.stream) == ("rival", "final")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"organizations": [{"slug": "acme"}]}'])
def test_damaged_file_is_named(tmp_path, text):
    path = tmp_path / "demo.json"
    path.write_text(text)

    with pytest.raises(NoAudience, match="demo"):
        seats(path)


def test_command_names_what_is_missing(tmp_path):
    with pytest.raises(CommandError, match="start the demo first"):
        call_command("simulate", demo_file=tmp_path / "none.json")
    with pytest.raises(CommandError, match="--viewers"):
        call_command("simulate", viewers=0)


def test_command_reports_and_leaves_in_time_without_a_server(tmp_path):
    path = write(tmp_path / "demo.json", [organization("acme")])
    output = StringIO()

    call_command(
        "simulate",
        viewers=3,
        duration=1.5,
        base_url="http://127.0.0.1:9",
        demo_file=path,
        stdout=output,
    )

    assert "0 of 3 live" in output.getvalue()
    assert output.getvalue().endswith("The audience has left.\n")


@pytest.mark.django_db
async def test_audience_applies_and_sends_events(process, place, valkey):
    places = [
        Seat(organization=place.slug, stream="derby", client=client, platform=client, sdk_key=key)
        for client, key in place.keys.items()
    ]
    audience = Audience(f"http://127.0.0.1:{process.port}", places, 8)
    stop = asyncio.Event()
    before = valkey.xlen("gantry:_:events")
    watching = asyncio.create_task(audience.watch(stop))
    await report_says(audience, "8 of 8 live")

    version = await in_thread(place.publish, "ui.tooltips_enabled", False)

    await report_says(audience, f"8 on {place.slug} v{version}")
    stop.set()
    await asyncio.wait_for(watching, 15)
    assert audience.report().startswith("0 of 8 live (nobody yet)")
    assert "faults" not in audience.report()
    assert valkey.xlen("gantry:_:events") > before


async def report_says(audience, words, within_s=15):
    async with asyncio.timeout(within_s):
        while words not in audience.report():  # noqa: ASYNC110 - another task
            await asyncio.sleep(0.05)
