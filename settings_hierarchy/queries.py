"""What does a scope resolve to, now or at a past version, and who made it so?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, F, QuerySet
from django.db.models.functions import JSONObject

from core.errors import NotFound
from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.models import Change, ConfigState, Override, Scope, ScopeVersion
from settings_hierarchy.resolution import (
    Layer,
    Outline,
    SourcedValue,
    Values,
    delivered_settings,
    resolve,
    trace,
    value_without,
)
from settings_hierarchy.schema import OVERRIDE_LEVELS, Level, Requirement, Setting
from settings_hierarchy.values import JSONValue
from streams.models import Client, Stream

OUTLINE = Outline.of(CATALOGUE)
HISTORY_LIMIT = 100
CONFLICT_LIMIT = 20


class UnknownVersion(NotFound):
    slug = "unknown-version"
    title = "Unknown config version"


class Snapshot(TypedDict):
    """What an SDK gets: the resolved settings of one client on one stream at one version."""

    organization: str
    stream: str
    client: str
    version: int
    published_at: str
    settings: dict[str, JSONValue]


@dataclass(frozen=True, kw_only=True)
class Path:
    """What is stored on the way to a scope, as of one moment."""

    scope: Scope
    config_version: int  # of the organization: what the next write is based on
    version: int  # of the snapshot: the highest at which a scope on the path last changed
    published_at: datetime
    outline: Outline
    layers: Sequence[Layer]

    def resolve(self) -> Values:
        return resolve(self.outline.defaults, self.layers)


@dataclass(frozen=True, kw_only=True)
class ResolvedSetting:
    """One setting at one scope, with everything a page or program may ask about it."""

    setting: Setting
    current: SourcedValue
    own: SourcedValue | None  # this scope's override, effective or not
    inherited: SourcedValue  # what it would be without this scope's override
    ignored: tuple[SourcedValue, ...]  # overrides on the path that a lock made ineffective
    locked_above: SourcedValue | None
    idle_because: Requirement | None  # it has effect only when another setting is otherwise

    @property
    def is_overridden_here(self) -> bool:
        return self.own is not None


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """Every setting at one scope."""

    scope: Scope
    config_version: int
    version: int
    published_at: datetime
    settings: Sequence[ResolvedSetting]

    def setting(self, key: str) -> ResolvedSetting:
        return next(row for row in self.settings if row.setting.key == key)


def current_version() -> int:
    """Return the organization's config version."""
    return ConfigState.objects.values_list("version", flat=True).get()


def load_path(scope: Scope) -> Path:
    """Read a scope's path in one statement, so that values and version are of one moment."""
    versions = ScopeVersion.objects.on_path(scope).order_by("-change_id")
    overrides = Override.objects.on_path(scope).order_by("pk")
    row = (
        ConfigState.objects.annotate(
            changed=ArraySubquery(
                versions.values(row=JSONObject(version=F("change_id"), at=F("change__at")))[:1]
            ),
            overrides=ArraySubquery(overrides.values(row=_OVERRIDE_AS_JSON)),
        )
        .values("version", "changed", "overrides")
        .get()
    )
    changed = row["changed"][0]
    return Path(
        scope=scope,
        config_version=row["version"],
        version=changed["version"],
        published_at=datetime.fromisoformat(changed["at"]),
        outline=OUTLINE,
        layers=_layers(OUTLINE, map(_from_json, row["overrides"])),
    )


_OVERRIDE_AS_JSON = JSONObject(
    of_stream=F("stream_id"),
    of_client=F("client_id"),
    key=F("key"),
    value=F("value"),
    locked=F("locked"),
    version=F("change_id"),
    changed_at=F("change__at"),
    changed_by=F("change__actor_label"),
    comment=F("change__comment"),
)


def _from_json(row: Mapping[str, Any]) -> SourcedValue:
    return SourcedValue(
        key=row["key"],
        value=row["value"],
        level=_level(row["of_stream"], row["of_client"]),
        locked=row["locked"],
        version=row["version"],
        changed_at=datetime.fromisoformat(row["changed_at"]),
        changed_by=row["changed_by"],
        comment=row["comment"],
    )


def _level(stream_id: int | None, client_id: int | None) -> Level:
    if stream_id is None:
        return Level.ORGANIZATION if client_id is None else Level.CLIENT
    return Level.STREAM if client_id is None else Level.CLIENT_ON_STREAM


def _layers(outline: Outline, values: Iterable[SourcedValue]) -> list[Layer]:
    by_level: dict[Level, list[SourcedValue]] = {level: [] for level in OVERRIDE_LEVELS}
    for value in values:
        by_level[value.level].append(value)
    return [outline.layer(level, rows) for level, rows in by_level.items()]


def path_at(scope: Scope, version: int) -> Path:
    """Rebuild a scope's path as it was when the organization was at this version.

    Raises UnknownVersion for a version that never was.
    """
    now = current_version()
    if not 1 <= version <= now:
        raise UnknownVersion(f"There is no version {version}; the current one is {now}.")
    until = Change.objects.filter(version__lte=version)
    catalogue = until.filter(kind=Change.Kind.CATALOGUE).latest("version")
    last = (
        until.on_path(scope)
        .exclude(kind=Change.Kind.CATALOGUE)
        .order_by("stream_id", "client_id", "key", "-version")
        .distinct("stream_id", "client_id", "key")
    )
    changes = [catalogue, *last]
    newest = max(changes, key=lambda change: change.version)
    assert catalogue.catalogue is not None
    outline = Outline.read(catalogue.catalogue)
    return Path(
        scope=scope,
        config_version=version,
        version=newest.version,
        published_at=newest.at,
        outline=outline,
        layers=_layers(outline, [_from_change(change) for change in last if _holds(change)]),
    )


def _holds(change: Change) -> bool:
    return change.kind != Change.Kind.CLEAR


def _from_change(change: Change) -> SourcedValue:
    assert change.value_after is not None
    return SourcedValue(
        key=change.key,
        value=change.value_after,
        level=change.level,
        locked=change.locked_after,
        version=change.version,
        changed_at=change.at,
        changed_by=change.actor_label,
        comment=change.comment,
    )


def snapshot(*, organization: str, stream: Stream, client: Client) -> Snapshot:
    """Return the present snapshot of a client on a stream; `organization` is the slug."""
    return _snapshot(organization, load_path(Scope(stream=stream, client=client)))


def snapshot_at(*, organization: str, stream: Stream, client: Client, version: int) -> Snapshot:
    """Return the snapshot as it was at an organization's config version."""
    return _snapshot(organization, path_at(Scope(stream=stream, client=client), version))


def _snapshot(organization: str, path: Path) -> Snapshot:
    assert path.scope.stream is not None
    assert path.scope.client is not None
    return Snapshot(
        organization=organization,
        stream=path.scope.stream.slug,
        client=path.scope.client.slug,
        version=path.version,
        published_at=_rfc3339(path.published_at),
        settings=delivered_settings(path.resolve(), path.outline.delivered),
    )


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def resolved(scope: Scope, *, version: int | None = None) -> Resolved:
    """Return every setting of the scope with value and provenance, now or at a past version."""
    path = load_path(scope) if version is None else path_at(scope, version)
    values = path.resolve()
    return Resolved(
        scope=scope,
        config_version=path.config_version,
        version=path.version,
        published_at=path.published_at,
        settings=[
            _resolved_setting(CATALOGUE.setting(key), path, values)
            for key in path.outline.defaults
            if key in CATALOGUE.settings
        ],
    )


def _resolved_setting(setting: Setting, path: Path, values: Values) -> ResolvedSetting:
    level, key = path.scope.level, setting.key
    told = trace(key, path.outline.defaults, path.layers)
    own_layer = next(layer for layer in path.layers if layer.level is level)
    locked_above = told.winner if told.winner.locked and told.winner.level is not level else None
    rule = setting.requires
    idle = rule is not None and not rule.is_enforced and rule.key in values
    if rule is not None and idle:
        idle = not rule.holds(told.winner.value, values[rule.key].value)
    return ResolvedSetting(
        setting=setting,
        current=told.winner,
        own=own_layer.values.get(key),
        inherited=value_without(key, level, path.outline.defaults, path.layers),
        ignored=told.ignored,
        locked_above=locked_above,
        idle_because=rule if idle else None,
    )


def history(scope: Scope, key: str) -> QuerySet[Change]:
    """Return the setting's changes at exactly this scope, newest first, at most HISTORY_LIMIT."""
    return Change.objects.at(scope).filter(key=key)[:HISTORY_LIMIT]


def changes_since(version: int, scope: Scope, key: str) -> QuerySet[Change]:
    """Return what happened to a setting on the scope's path after a version, newest first."""
    changes = Change.objects.on_path(scope).filter(version__gt=version, key=key)
    return changes.select_related("stream", "client")[:CONFLICT_LIMIT]


def override_at(scope: Scope, key: str) -> Override | None:
    """Return the override that the scope itself holds."""
    return Override.objects.at(scope).filter(key=key).select_related("change").first()


def changes_lock(scope: Scope, key: str, locked: bool) -> bool:
    """Say whether holding it like this would set or release a lock of the scope."""
    override = override_at(scope, key)
    return (override is not None and override.locked) != locked


def live_streams(scope: Scope) -> QuerySet[Stream]:
    """Return the live streams whose viewers a change at this scope reaches."""
    streams = Stream.objects.live()
    return streams.filter(pk=scope.stream.pk) if scope.stream is not None else streams


def overrides_below(scope: Scope) -> dict[str, int]:
    """Return key → how many more specific scopes hold an override of their own."""
    rows = Override.objects.below(scope).not_at(scope).order_by()
    return dict(rows.values_list("key").annotate(count=Count("pk")))
