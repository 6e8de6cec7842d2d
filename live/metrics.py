"""What does this process count about itself? No label names a tenant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry

if TYPE_CHECKING:
    from live.hub import Hub

ANSWERS: Counter[tuple[str, int]] = Counter()  # (call, status) → answers


class _Snapshot:
    """The numbers of one moment, in Prometheus' words."""

    def __init__(self, hub: Hub, outbox_waiting: int) -> None:
        self.hub = hub
        self.outbox_waiting = outbox_waiting

    def collect(self) -> Iterable[Metric]:
        hub = self.hub
        gauges = {
            "gantry_sockets": ("Open SDK sockets", hub.connected),
            "gantry_sockets_lagging": ("Sockets that read too slowly", len(hub.lagging)),
            "gantry_hub_lag_seconds": ("Age of the last publish when it arrived", hub.lag_s),
            "gantry_hub_subscribed": ("1 while the channel layer is joined", int(hub.subscribed)),
            "gantry_storage_away": ("1 while memory serves", int(hub.freshness.storage_away)),
            "gantry_redis_away": ("1 while Redis is away", int(hub.freshness.redis_away)),
            "gantry_outbox_waiting": ("Pushes not relayed yet; -1: unknown", self.outbox_waiting),
        }
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(name, text, value=value)
        yield CounterMetricFamily(
            "gantry_frames_sent", "Configuration frames written", value=hub.frames_sent
        )
        yield CounterMetricFamily(
            "gantry_acknowledgements",
            "Changes acknowledged by SDKs",
            value=hub.delivery.acknowledgements,
        )
        answers = CounterMetricFamily(
            "gantry_sdk_answers", "Answers of the SDK plane", labels=["call", "status"]
        )
        for (call, status), count in ANSWERS.items():
            answers.add_metric([call, str(status)], count)
        yield answers


def render(hub: Hub, outbox_waiting: int) -> bytes:
    """Return the exposition text."""
    registry = CollectorRegistry()
    registry.register(_Snapshot(hub, outbox_waiting))
    ProcessCollector(registry=registry)
    return generate_latest(registry)
