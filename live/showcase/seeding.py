"""How is the demo made? Through the same operations that people use, all of it or none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import transaction

from core.audit import Actor
from core.tenancy import organization_context
from live.showcase import credentials
from live.showcase.content import SHOWCASES, App, Edit, Fixture, Person, Showcase
from live.showcase.words import passphrase
from sdk_keys.operations import KeyFields, create_key
from settings_hierarchy.models import Scope
from settings_hierarchy.operations import clear_override, set_override
from streams import client_operations
from streams import operations as stream_operations
from streams.models import Client, Stream
from streams.validation import ClientFields, StreamFields
from tenants import invitations, operations, provisioning
from tenants.models import Membership, Organization, User

FIRST_DAY = timedelta(days=21)
INVITED_BEFORE = timedelta(days=1)
APPS_AFTER = timedelta(hours=3)
CREATED_BEFORE = timedelta(days=6)
SCHEDULED_AFTER = timedelta(hours=5)
QUARTER_HOUR = timedelta(minutes=15)
TOKEN_LIFE = timedelta(days=365)
PATHS_TO = {
    "draft": (),
    "scheduled": ("scheduled",),
    "live": ("scheduled", "live"),
    "ended": ("scheduled", "live", "ended"),
    "archived": ("scheduled", "live", "ended", "archived"),
}
Actors = dict[str, Actor]


def is_seeded() -> bool:
    slugs = [showcase.slug for showcase in SHOWCASES]
    return Organization.objects.filter(slug__in=slugs).count() == len(slugs)


def seed(*, at: datetime) -> None:
    """Make the demo's organizations and write down their logins; both or neither."""
    provisioning.current_template()  # recorded beforehand: it cannot be inside a transaction
    password = passphrase()
    with transaction.atomic():
        document = [_organization(showcase, password, at) for showcase in SHOWCASES]
        credentials.write(document)


def _organization(showcase: Showcase, password: str, at: datetime) -> dict[str, Any]:
    began = at - FIRST_DAY
    owner, *others = showcase.people
    hashed = make_password(password)
    system = Actor.system("seed_demo")
    organization = operations.create_organization(
        name=showcase.name,
        slug=showcase.slug,
        owner=_person(owner, hashed),
        actor=system,
        at=began,
    )
    operations.provision(organization=organization, at=began)
    organization.refresh_from_db()
    first = organization.memberships.select_related("user").get()
    for person in others:
        _join(organization, first, person, hashed, began)
    for person in showcase.invited:
        _invite(organization, first, person, at - INVITED_BEFORE)
    with organization_context(organization.schema_name):
        actors = dict(_actors(organization))
        keys = [_app(organization, app, actors, at) for app in showcase.apps]
        for fixture in showcase.fixtures:
            _stream(fixture, actors, at)
        for edit in sorted(showcase.edits, key=lambda each: -each.hours):
            _edit(edit, actors, at)
    return {
        "slug": showcase.slug,
        "name": showcase.name,
        "live_stream": showcase.live_stream,
        "people": [
            {"email": person.email, "password": password, "role": person.role}
            for person in showcase.people
        ],
        "streams": [fixture.slug for fixture in showcase.fixtures],
        "clients": keys,
        "api_token": _token(organization, first, began),
    }


def _person(person: Person, hashed: str) -> User:
    """Return the account; hashing takes a third of a second, so it is done once for all."""
    account, _ = User.objects.get_or_create(
        email=person.email, defaults={"name": person.name, "password": hashed}
    )
    return account


def _join(
    organization: Organization, owner: Membership, person: Person, hashed: str, at: datetime
) -> None:
    """Invite and accept, as people do, so that the audit tells of it."""
    secret = _invite(organization, owner, person, at)
    invitations.accept_invitation(secret=secret, user=_person(person, hashed), at=at)


def _invite(organization: Organization, owner: Membership, person: Person, at: datetime) -> str:
    _, link = invitations.invite(
        organization=organization,
        email=person.email,
        role=person.role,
        by=owner,
        actor=_actor(owner.user),
        at=at,
    )
    return link.rstrip("/").rpartition("/")[2]


def _actor(user: User) -> Actor:
    return Actor(kind="person", id=str(user.pk), label=user.email)


def _actors(organization: Organization) -> Iterator[tuple[str, Actor]]:
    """Yield who acts in each role; of two with one role the first, so it is yielded last."""
    for membership in organization.memberships.select_related("user").order_by("-pk"):
        yield membership.role, _actor(membership.user)


def _app(organization: Organization, app: App, actors: Actors, now: datetime) -> dict[str, str]:
    actor, at = actors.get("admin", actors["owner"]), now - FIRST_DAY + APPS_AFTER
    ends = None if app.key_days is None else now + timedelta(days=app.key_days)
    client = client_operations.create_client(
        fields=ClientFields(name=app.name, bundle_ids=app.bundle_ids, origins=app.origins),
        slug=app.slug,
        platform=app.platform,
        actor=actor,
        at=at,
    )
    kind = "secret" if app.secret else "publishable"
    issued = create_key(
        organization=organization,
        client=client,
        fields=KeyFields(name="Production", kind=kind, expires_at=ends),
        actor=actor,
        at=at,
    )
    return {"slug": app.slug, "platform": app.platform, "sdk_key": issued.text}


def _stream(fixture: Fixture, actors: Actors, now: datetime) -> None:
    actor = actors["operator"]
    starts_at = None if fixture.starts is None else _quarter(now + timedelta(hours=fixture.starts))
    ends_at = starts_at and starts_at + timedelta(hours=fixture.lasts)
    created_at = min(starts_at or now, now) - CREATED_BEFORE
    host = "https://video.example"
    stream = stream_operations.create_stream(
        fields=StreamFields(
            title=fixture.title,
            slug=fixture.slug,
            starts_at=starts_at,
            ends_at=ends_at,
            time_zone=fixture.zone,
            playback_url=f"{host}/{fixture.slug}/master.m3u8" if fixture.playback else "",
            tags=fixture.tags,
        ),
        actor=actor,
        at=created_at,
    )
    moments = {
        "scheduled": created_at + SCHEDULED_AFTER,
        "live": starts_at,
        "ended": ends_at,
        "archived": ends_at and ends_at + timedelta(hours=12),
    }
    for state in PATHS_TO[fixture.state]:
        moment = moments[state] or now
        stream = stream_operations.transition_stream(
            stream=stream, to=state, actor=actor, at=min(moment, now)
        )


def _quarter(moment: datetime) -> datetime:
    """Round to the quarter of an hour before, as programmes start."""
    return moment - (moment - datetime.min.replace(tzinfo=moment.tzinfo)) % QUARTER_HOUR


def _edit(edit: Edit, actors: Actors, now: datetime) -> None:
    scope = Scope(
        stream=Stream.objects.get(slug=edit.stream) if edit.stream else None,
        client=Client.objects.get(slug=edit.client) if edit.client else None,
    )
    actor, at = actors[edit.by], now - timedelta(hours=edit.hours)
    if edit.value is None:
        clear_override(scope=scope, key=edit.key, actor=actor, at=at, comment=edit.comment)
        return
    set_override(
        scope=scope,
        key=edit.key,
        value=edit.value,
        locked=edit.locked,
        actor=actor,
        at=at,
        comment=edit.comment,
    )


def _token(organization: Organization, owner: Membership, at: datetime) -> str:
    new = operations.NewToken(
        name="Programme import", role="admin", expires_at=at + TOKEN_LIFE + FIRST_DAY
    )
    _, text = operations.create_token(
        organization=organization, new=new, by=owner, actor=_actor(owner.user), at=at
    )
    return text
