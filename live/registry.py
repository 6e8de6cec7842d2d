"""Whom does this process serve, and what does it hold for them? Memory only; one per process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass

from live.snapshots import Answers, Frames, Snapshot, answers_of
from live.sockets import Socket
from sdk_keys.tokens import Session

MAX_ENTRIES = 200_000
PUBLISHES_REMEMBERED = 64


@dataclass(slots=True, eq=False)
class Entry:
    """A token verified once."""

    session: Session
    pair: Pair
    expires: float
    kid: str  # of the key that signed it


class Pair:
    """One client on one stream: its snapshot and its sockets."""

    __slots__ = (
        "announced_at",
        "answers",
        "client",
        "frames",
        "good_at",
        "judged",
        "lock",
        "organization",
        "refusal",
        "sockets",
        "stream",
        "used_at",
    )

    def __init__(self, organization: Organization, stream: str, client: str) -> None:
        self.organization = organization
        self.stream = stream
        self.client = client
        self.frames: Frames | None = None
        self.answers: Answers | None = None  # None: ask first, then answer
        self.good_at = 0  # the organization's version the snapshot is known good at
        self.judged = False
        self.refusal = ""
        self.sockets: set[Socket] = set()
        self.announced_at = 0.0
        self.used_at = 0.0
        self.lock = asyncio.Lock()

    @property
    def snapshot(self) -> Snapshot | None:
        return self.frames.snapshot if self.frames is not None else None

    @property
    def is_current(self) -> bool:
        return self.frames is not None and self.good_at >= self.organization.head > 0

    @property
    def is_refused(self) -> bool:
        return bool(self.refusal or self.organization.refusal)

    def install(self, snapshot: Snapshot, good_at: int) -> None:
        """Take a snapshot that is not older than the one held."""
        held = self.snapshot
        if held is None or snapshot.version > held.version:
            self.frames = Frames(snapshot)
        elif snapshot.version == held.version and snapshot.kid != held.kid:
            self.frames = Frames(snapshot)  # signed anew
        self.good_at = max(self.good_at, good_at)

    def prepare(self, *, stale: bool) -> None:
        """Make the answers ready, unless somebody has to be asked first."""
        snapshot = self.snapshot
        if snapshot is None or self.is_refused or not (self.is_current or stale):
            self.answers = None
            return
        held = self.answers
        if held is None or held.version != snapshot.version or held.stale != stale:
            self.answers = answers_of(snapshot, stale=stale)


class Organization:
    """One organization that has sockets or asked lately."""

    __slots__ = (
        "head",
        "keys",
        "pairs",
        "published",
        "refusal",
        "schema_name",
        "slug",
        "suspected_head",
    )

    def __init__(self, schema_name: str, slug: str) -> None:
        self.schema_name = schema_name
        self.slug = slug
        self.head = 0
        self.suspected_head = 0
        self.refusal = ""
        self.keys: dict[str, str] = {}  # SDK key → slug of a refusal, or ""
        self.pairs: dict[tuple[str, str], Pair] = {}
        self.published: dict[int, float] = {}  # version → when it was relayed

    def pair(self, stream: str, client: str) -> Pair:
        found = self.pairs.get((stream, client))
        if found is None:
            found = self.pairs[stream, client] = Pair(self, stream, client)
        found.used_at = time.time()  # whoever asks will wait for storage: not idle meanwhile
        return found

    def note_publish(self, version: int, sent_at: float) -> None:
        self.published[version] = sent_at
        while len(self.published) > PUBLISHES_REMEMBERED:
            del self.published[next(iter(self.published))]

    def sockets(self) -> list[Socket]:
        return [socket for pair in self.pairs.values() for socket in pair.sockets]


class Registry:
    """Everything the process knows."""

    def __init__(self) -> None:
        self.organizations: dict[str, Organization] = {}
        self.entries: dict[bytes, Entry] = {}  # by the whole Authorization value

    def organization(self, schema_name: str, slug: str) -> Organization:
        found = self.organizations.get(schema_name)
        if found is None:
            found = self.organizations[schema_name] = Organization(schema_name, slug)
        return found

    def pairs(self) -> list[Pair]:
        return [pair for each in self.organizations.values() for pair in each.pairs.values()]

    def remember(self, authorization: bytes, entry: Entry) -> None:
        if len(self.entries) >= MAX_ENTRIES:
            self.entries.clear()  # each costs one verification to come back
        self.entries[authorization] = entry

    def forget_expired(self, now: float) -> None:
        over = [key for key, entry in self.entries.items() if entry.expires <= now]
        for key in over:
            del self.entries[key]

    def forget_signed_by_others(self, trusted: Collection[str]) -> None:
        for key in [key for key, entry in self.entries.items() if entry.kid not in trusted]:
            del self.entries[key]

    def forget_key(self, organization: Organization, key: str) -> None:
        mine = [
            name
            for name, entry in self.entries.items()
            if entry.session.key == key and entry.pair.organization is organization
        ]
        for name in mine:
            del self.entries[name]
