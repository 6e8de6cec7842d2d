"""Which state may follow which, and why not? The whole machine is the table below.

| From      | To        | Verb     | Needs                                            |
|-----------|-----------|----------|--------------------------------------------------|
| draft     | scheduled | Schedule | a start; from here on SDKs may connect           |
| draft     | archived  | Archive  |                                                  |
| scheduled | live      | Go live  |                                                  |
| scheduled | archived  | Archive  | closes connected SDKs                            |
| live      | ended     | End      | SDKs stay connected                              |
| ended     | live      | Reopen   | a reason: viewers were told that it is over      |
| ended     | archived  | Archive  | closes connected SDKs                            |
| archived  | (before)  | Restore  | only back to the state it was archived from      |

Nothing returns to draft once it was scheduled: SDKs know its slug. A live stream cannot be archived,
because that would close the audience in the middle of it; end it first.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import DomainError
from streams.models import Stream

State = Stream.State


@dataclass(frozen=True, kw_only=True)
class Step:
    """One allowed transition as the page offers it."""

    to: str
    verb: str
    icon: str
    consequence: str
    confirm: bool = False
    needs_reason: bool = False


class IllegalTransition(DomainError):
    slug = "illegal-transition"
    status = 409
    title = "Not possible in this state"


SCHEDULE = Step(
    to=State.SCHEDULED,
    verb="Schedule",
    icon="calendar",
    consequence="SDKs may connect from now on, and the slug can no longer change.",
)
GO_LIVE = Step(
    to=State.LIVE,
    verb="Go live",
    icon="broadcast",
    consequence="Every later settings change goes through review.",
    confirm=True,
)
END = Step(
    to=State.ENDED,
    verb="End",
    icon="player-stop",
    consequence="Connected SDKs stay connected and keep their settings.",
    confirm=True,
)
REOPEN = Step(
    to=State.LIVE,
    verb="Reopen",
    icon="rotate",
    consequence="The stream is live again.",
    confirm=True,
    needs_reason=True,
)
ARCHIVE = Step(
    to=State.ARCHIVED,
    verb="Archive",
    icon="archive",
    consequence="It leaves the lists and connected SDKs are closed. Restore brings it back.",
)

STEPS: dict[str, tuple[Step, ...]] = {
    State.DRAFT: (SCHEDULE, ARCHIVE),
    State.SCHEDULED: (GO_LIVE, ARCHIVE),
    State.LIVE: (END,),
    State.ENDED: (REOPEN, ARCHIVE),
    State.ARCHIVED: (),
}
ARCHIVABLE = frozenset(state for state, steps in STEPS.items() if ARCHIVE in steps)

_HINTS: dict[tuple[str, str], str] = {
    (State.DRAFT, State.LIVE): "Schedule it first.",
    (State.DRAFT, State.ENDED): "It has not been live.",
    (State.SCHEDULED, State.ENDED): "It has not been live.",
    (State.LIVE, State.ARCHIVED): "End it first.",
}


def restore_to(state: str) -> Step:
    return Step(
        to=state,
        verb="Restore",
        icon="arrow-back-up",
        consequence=f"It returns to the lists as {State(state).label.lower()}.",
    )


def steps_from(state: str, archived_from: str = "") -> tuple[Step, ...]:
    """Return what may happen next; `archived_from` is the state an archived stream came from."""
    if state == State.ARCHIVED:
        return (restore_to(archived_from),) if archived_from else ()
    return STEPS[state]


def step_between(state: str, to: str, archived_from: str = "") -> Step:
    """Return the step, or raise IllegalTransition saying why there is none."""
    steps = steps_from(state, archived_from)
    found = next((step for step in steps if step.to == to), None)
    if found is not None:
        return found
    raise IllegalTransition(
        f"A stream that is {state} cannot become {to}. {_hint(state, to, steps)}",
        allowed=[step.to for step in steps],
    )


def _hint(state: str, to: str, steps: tuple[Step, ...]) -> str:
    if state == to:
        return "It already is."
    if to == State.DRAFT:
        return "SDKs already know it, so it cannot become a draft again."
    if state == State.ARCHIVED and steps:
        return f"Restore it to {steps[0].to} first."
    return _HINTS.get((state, to), "That step does not exist.")
