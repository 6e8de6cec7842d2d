"""Which version does each connected SDK run, and how long did it take? Counted in the process."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from live.registry import Pair
from live.sockets import Socket
from live.store import topic

VERSIONS_TIMED = 16
SECOND_MS = 1000


class Report(msgspec.Struct, kw_only=True):
    """What one process says about one client on one stream."""

    connected: int = 0
    versions: dict[int, int] = {}  # version in force → sockets
    sdks: dict[str, int] = {}  # "<name> <version>" → sockets
    took_ms: dict[int, dict[int, int]] = {}  # version → milliseconds, two digits → SDKs


@dataclass
class Tally:
    """The counters behind a report."""

    connected: int = 0
    versions: Counter[int] = field(default_factory=Counter)
    sdks: Counter[str] = field(default_factory=Counter)
    took_ms: dict[int, Counter[int]] = field(default_factory=dict)

    def report(self) -> bytes:
        return msgspec.json.encode(
            Report(
                connected=self.connected,
                versions=dict(+self.versions),
                sdks=dict(+self.sdks),
                took_ms={version: dict(counts) for version, counts in self.took_ms.items()},
            )
        )


class Delivery:
    """The convergence meter of this process."""

    def __init__(self) -> None:
        self.process = secrets.token_hex(6)
        self.acknowledgements = 0
        self._tallies: dict[str, dict[str, Tally]] = {}
        self._changed: dict[str, set[str]] = {}

    def joined(self, socket: Socket) -> None:
        tally = self._tally(socket.pair)
        tally.connected += 1
        tally.versions[socket.applied] += 1
        tally.sdks[socket.sdk] += 1

    def left(self, socket: Socket) -> None:
        tally = self._tally(socket.pair)
        tally.connected -= 1
        tally.versions[socket.applied] -= 1
        tally.sdks[socket.sdk] -= 1

    def applied(self, socket: Socket, version: int, now: float) -> None:
        """Count an acknowledgement; a repeated or older one changes nothing."""
        if version <= socket.applied or version > socket.version:
            return
        self.acknowledgements += 1
        tally = self._tally(socket.pair)
        tally.versions[socket.applied] -= 1
        tally.versions[version] += 1
        socket.applied = version
        sent_at = socket.pair.organization.published.get(version)
        if sent_at is not None and sent_at >= socket.opened_at:
            counts = tally.took_ms.setdefault(version, Counter())
            counts[two_digits((now - sent_at) * SECOND_MS)] += 1
            while len(tally.took_ms) > VERSIONS_TIMED:
                del tally.took_ms[min(tally.took_ms)]

    def take_changes(self) -> dict[str, dict[str, bytes]]:
        """Return the reports that changed since the last call: schema → topic → report."""
        changed, self._changed = self._changed, {}
        return {
            schema_name: {name: self._tallies[schema_name][name].report() for name in names}
            for schema_name, names in changed.items()
        }

    def give_back(self, reports: Mapping[str, Mapping[str, Any]]) -> None:
        """Mark reports that could not be written, so that they are tried again."""
        for schema_name, names in reports.items():
            self._changed.setdefault(schema_name, set()).update(names)

    def mark_all(self) -> None:
        """Report everything again: what was written may have been lost."""
        self.give_back(self._tallies)

    def _tally(self, pair: Pair) -> Tally:
        schema_name, name = pair.organization.schema_name, topic(pair.stream, pair.client)
        self._changed.setdefault(schema_name, set()).add(name)
        tallies = self._tallies.setdefault(schema_name, {})
        if name not in tallies:
            tallies[name] = Tally()
        return tallies[name]


def two_digits(milliseconds: float) -> int:
    """Round to two significant digits: exact enough for percentiles, few enough to merge."""
    whole = max(0, round(milliseconds))
    step = 1
    while whole // step >= 100:
        step *= 10
    return whole // step * step
