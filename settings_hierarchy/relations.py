"""Would a change break a rule between two settings, here or in any scope that it reaches?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from settings_hierarchy.catalogue import CATALOGUE
from settings_hierarchy.models import Override, Scope
from settings_hierarchy.resolution import Outline, SourcedValue, trace
from settings_hierarchy.schema import Level, Relation, Requirement, Setting
from settings_hierarchy.values import JSONValue

Place = tuple[int | None, int | None]  # ids of stream and client
Rows = Mapping[tuple[Place, str], SourcedValue]
LEVEL_OF = {
    (False, False): Level.ORGANIZATION,
    (True, False): Level.STREAM,
    (False, True): Level.CLIENT,
    (True, True): Level.CLIENT_ON_STREAM,
}


@dataclass(frozen=True, kw_only=True)
class BrokenRule:
    setting: Setting
    rule: Requirement
    own: JSONValue
    other: JSONValue
    place: Place

    @property
    def text(self) -> str:
        other = CATALOGUE.setting(self.rule.key)
        side = "below" if self.rule.relation is Relation.AT_LEAST else "above"
        return (
            f"{self.setting.label} would be {self.own} {self.setting.unit}, {side} "
            f"{other.label} ({self.other} {other.unit})"
        )


def broken_rule(
    scope: Scope, key: str, value: SourcedValue | None, outline: Outline
) -> BrokenRule | None:
    """Return the first rule that resolved values would break if the scope held this value.

    `value` None means that the scope's override is gone.
    """
    rules = [(setting, rule) for setting, rule in CATALOGUE.enforced() if key in _pair(setting)]
    if not rules:
        return None
    keys = {each for setting, _ in rules for each in _pair(setting)}
    rows = dict(_stored(keys))
    place = (scope.stream.pk if scope.stream else None, scope.client.pk if scope.client else None)
    rows.pop((place, key), None)
    if value is not None:
        rows[place, key] = value
    for reached in _reached(place, rows):
        for setting, rule in rules:
            own = _winner(reached, setting.key, rows, outline)
            other = _winner(reached, rule.key, rows, outline)
            if not rule.holds(own, other):
                return BrokenRule(setting=setting, rule=rule, own=own, other=other, place=reached)
    return None


def _pair(setting: Setting) -> tuple[str, str]:
    assert setting.requires is not None
    return setting.key, setting.requires.key


def _stored(keys: set[str]) -> Iterator[tuple[tuple[Place, str], SourcedValue]]:
    for row in Override.objects.filter(key__in=keys):
        value = SourcedValue(key=row.key, value=row.value, level=row.level, locked=row.locked)
        yield ((row.stream_id, row.client_id), row.key), value


def _reached(place: Place, rows: Rows) -> Iterator[Place]:
    """Yield the changed place, then every place below it that overrides may tell apart."""
    stream, client = place
    streams = {at for (at, _), _ in rows} if stream is None else {stream}
    clients = {at for (_, at), _ in rows} if client is None else {client}
    yield place
    for reached in product(sorted(streams, key=str), sorted(clients, key=str)):
        if reached != place:
            yield reached


def _winner(place: Place, key: str, rows: Rows, outline: Outline) -> JSONValue:
    stream, client = place
    path = dict.fromkeys([(None, None), (stream, None), (None, client), (stream, client)])
    layers = [
        outline.layer(LEVEL_OF[at[0] is not None, at[1] is not None], [rows[at, key]])
        for at in path
        if (at, key) in rows
    ]
    return trace(key, outline.defaults, layers).winner.value
