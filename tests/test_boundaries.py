"""Every route × every kind of person: who is let in, who is refused, who finds nothing.

A new route fails here until it has a row. A row says which permission the route needs, so a change of
rights is a change of this table. Each row is tried by a member of every role, by the owner of another
organization, and by somebody who is not signed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from celery import current_app
from django.db import transaction
from django.test import Client as Browser
from django.urls import get_resolver
from django.utils import timezone

from core import audit
from core.access import SIGNED_IN, permissions_of
from core.audit import Target
from core.models import AuditEntry
from core.tasks import OrganizationTask, PlatformTask
from core.tenancy import organization_context
from live import edge, health
from live.process import start_process, stop_process
from live.serving import serve
from sdk_keys.operations import KeyFields, create_key
from settings_hierarchy.models import Scope
from settings_hierarchy.operations import set_override
from tenants.models import ApiToken, Invitation, Organization, Role, User
from tests.factories import make_client, make_member, make_stream, make_token

PAGE = "o/<slug:organization>/"
API = "api/v1/organizations/<slug:organization>/"
REFUSED = {401, 403, 404, 405}

# route below o/<organization>/ | method | permission
PAGES = """
                                                          GET   organization.view
palette/                                                  GET   organization.view
profile/                                                  GET   organization.change
profile/                                                  POST  organization.change
people/                                                   GET   people.view
people/<int:user_id>/role/                                POST  people.change
people/<int:user_id>/remove/                              POST  people.change
invitations/new/                                          GET   people.change
invitations/new/                                          POST  people.change
invitations/<int:invitation_id>/resend/                   POST  people.change
invitations/<int:invitation_id>/withdraw/                 POST  people.change
tokens/                                                   GET   tokens.view
tokens/new/                                               GET   tokens.change
tokens/new/                                               POST  tokens.change
tokens/<slug:public_id>/revoke/                           POST  tokens.change
audit/                                                    GET   audit.view
audit/export.csv                                          GET   audit.view
audit/<int:entry_id>/                                     GET   audit.view
streams/                                                  GET   streams.view
streams/live-and-soon/                                    GET   streams.view
streams/attention/                                        GET   streams.view
streams/search/                                           GET   streams.view
streams/<slug:slug>/                                      GET   streams.view
streams/new/                                              GET   streams.change
streams/new/                                              POST  streams.change
streams/archive/                                          POST  streams.change
streams/restore/                                          POST  streams.change
streams/<slug:slug>/edit/                                 GET   streams.change
streams/<slug:slug>/edit/                                 POST  streams.change
streams/<slug:slug>/transitions/<slug:to>/                POST  streams.change
streams/<slug:slug>/clone/                                GET   streams.change
streams/<slug:slug>/clone/                                POST  streams.change
clients/                                                  GET   clients.view
clients/<slug:slug>/                                      GET   clients.view
clients/new/                                              GET   clients.change
clients/new/                                              POST  clients.change
clients/<slug:slug>/edit/                                 GET   clients.change
clients/<slug:slug>/edit/                                 POST  clients.change
clients/<slug:slug>/status/<slug:verb>/                   POST  clients.change
clients/<slug:slug>/keys/                                 GET   keys.view
clients/<slug:slug>/keys/new/                             GET   keys.change
clients/<slug:slug>/keys/new/                             POST  keys.change
keys/                                                     GET   keys.view
keys/attention/                                           GET   keys.view
keys/tallies/                                             GET   keys.view
keys/<slug:public_id>/rotate/                             GET   keys.change
keys/<slug:public_id>/rotate/                             POST  keys.change
keys/<slug:public_id>/revoke/                             POST  keys.change
settings/                                                 GET   settings.view
settings/<str:key>/                                       GET   settings.view
settings/<str:key>/change/                                POST  settings.change
settings/undo/<int:version>/                              POST  settings.change
streams/<slug:stream>/settings/                           GET   settings.view
streams/<slug:stream>/settings/<str:key>/                 GET   settings.view
streams/<slug:stream>/settings/<str:key>/change/          POST  settings.change
clients/<slug:client>/settings/                           GET   settings.view
clients/<slug:client>/settings/<str:key>/                 GET   settings.view
clients/<slug:client>/settings/<str:key>/change/          POST  settings.change
streams/<slug:stream>/clients/<slug:client>/settings/     GET   settings.view
streams/<slug:stream>/clients/<slug:client>/settings/<str:key>/         GET   settings.view
streams/<slug:stream>/clients/<slug:client>/settings/<str:key>/change/  POST  settings.change
analytics/streams/<slug:stream>/chart/                    GET   delivery.view
live/home/                                                GET   delivery.view
live/connected/                                           GET   delivery.view
live/connected/<slug:stream>/                             GET   delivery.view
live/delivery/                                            GET   delivery.view
live/delivery/<slug:stream>/                              GET   delivery.view
live/reach/                                               GET   delivery.view
"""

# route below api/v1/organizations/<organization>/ | method | permission
CALLS = """
                                          GET     organization.view
members                                   GET     people.view
members/<int:user_id>                     PATCH   people.change
members/<int:user_id>                     DELETE  people.change
invitations                               GET     people.view
invitations                               POST    people.change
invitations/<int:invitation_id>           DELETE  people.change
tokens                                    GET     tokens.view
tokens                                    POST    tokens.change
tokens/<slug:public_id>                   DELETE  tokens.change
audit                                     GET     audit.view
streams                                   GET     streams.view
streams                                   POST    streams.change
streams/<slug:slug>                       GET     streams.view
streams/<slug:slug>                       PATCH   streams.change
streams/<slug:slug>/transitions           GET     streams.view
streams/<slug:slug>/transitions           POST    streams.change
streams/<slug:slug>/clone                 POST    streams.change
clients                                   GET     clients.view
clients                                   POST    clients.change
clients/<slug:slug>                       GET     clients.view
clients/<slug:slug>                       PATCH   clients.change
clients/<slug:slug>/disable               POST    clients.change
clients/<slug:slug>/enable                POST    clients.change
clients/<slug:slug>/archive               POST    clients.change
clients/<slug:slug>/restore               POST    clients.change
clients/<slug:slug>/keys                  GET     keys.view
clients/<slug:slug>/keys                  POST    keys.change
keys                                      GET     keys.view
keys/<slug:public_id>                     GET     keys.view
keys/<slug:public_id>/rotate              POST    keys.change
keys/<slug:public_id>/revoke              POST    keys.change
catalogue                                 GET     settings.view
overrides                                 GET     settings.view
overrides                                 PUT     settings.change
overrides                                 DELETE  settings.change
resolved                                  GET     settings.view
snapshot                                  GET     settings.view
versions                                  GET     settings.view
versions/<int:version>                    GET     settings.view
"""

# Outside the organizations: anybody (None), or whoever is signed in.
OUTSIDE: dict[str, str | None] = {
    "": SIGNED_IN,
    "organizations/": SIGNED_IN,
    "o/new/": SIGNED_IN,
    "invitations/<str:secret>/": None,
    "invitations/<str:secret>/account/": None,
    "demo/<slug:org_slug>/<slug:stream_slug>/": None,
    "_patterns/": None,
    "api/schema/": None,
    "api/docs/": None,
}

# allauth guards its own pages: what somebody who is not signed in gets.
ALLAUTH = {
    "accounts/login/": 200,
    "accounts/logout/": 302,
    "accounts/inactive/": 200,
    "accounts/signup/": 200,
    "accounts/reauthenticate/": 302,
    "accounts/email/": 302,
    "accounts/confirm-email/": 200,
    "accounts/password/change/": 302,
    "accounts/password/set/": 302,
    "accounts/password/reset/": 200,
    "accounts/password/reset/done/": 200,
    "accounts/password/reset/key/done/": 200,
    "accounts/login/code/confirm/": 302,
    "accounts/^confirm-email/(?P<key>[-:\\w]+)/$": 200,
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": 200,
}

# The SDK plane and the probes, answered before Django: what somebody without a token gets. The one
# call that asks the database, for the key, is tried on a running server in tests/live/test_edge.py.
EDGE = {
    ("GET", "/sdk/v1/config"): 401,
    ("POST", "/sdk/v1/sessions"): None,
    ("POST", "/sdk/v1/events"): 401,
    ("GET", "/.well-known/jwks.json"): 200,
}
PROBES = {"/livez", "/readyz", "/metrics"}
SOCKETS = {"/sdk/v1/live": "SdkConsumer"}

TASKS = {
    "core.sweep_outbox": PlatformTask,
    "core.forget_idempotent_answers": PlatformTask,
    "tenants.provision": PlatformTask,
    "tenants.provision_waiting": PlatformTask,
}


@dataclass(frozen=True)
class Row:
    route: str
    method: str
    permission: str

    def __str__(self) -> str:
        return f"{self.method} {self.route}"


def rows(prefix: str, text: str) -> list[Row]:
    found = []
    for line in text.strip("\n").splitlines():
        *route, method, permission = line.split()
        found.append(Row(prefix + "".join(route), method, permission))
    return found


PAGE_ROWS, CALL_ROWS = rows(PAGE, PAGES), rows(API, CALLS)


def walk(resolver: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from walk(pattern, route)
        else:
            yield route, pattern.callback


ROUTES = list(walk(get_resolver()))


def api_methods(callback: Any) -> set[str]:
    return {
        name.upper()
        for name in ("get", "post", "put", "patch", "delete")
        if hasattr(callback.cls, name)
    }


# --- the tables are complete and say what the code says ---------------------------------------


def test_every_route_has_a_row():
    listed = {row.route for row in PAGE_ROWS + CALL_ROWS} | set(OUTSIDE) | set(ALLAUTH)

    assert sorted({route for route, _ in ROUTES} - listed) == []


def test_every_row_has_a_route():
    listed = {row.route for row in PAGE_ROWS + CALL_ROWS} | set(OUTSIDE) | set(ALLAUTH)

    assert sorted(listed - {route for route, _ in ROUTES}) == []


def test_pages_declare_what_the_table_says():
    declared = {route: callback.permission for route, callback in ROUTES if route.startswith(PAGE)}

    assert declared == {row.route: row.permission for row in PAGE_ROWS}


def test_calls_declare_what_the_table_says():
    declared = {}
    for route, callback in ROUTES:
        if route.startswith(API):
            required = callback.cls.required_permission
            for method in api_methods(callback):
                permission = required if isinstance(required, str) else required[method]
                declared[route, method] = permission

    assert declared == {(row.route, row.method): row.permission for row in CALL_ROWS}


def test_pages_outside_declare_what_the_table_says():
    declared = {route: callback.permission for route, callback in ROUTES if route in OUTSIDE}

    assert declared == OUTSIDE


def test_openapi_describes_every_call(db, client):
    text = client.get("/api/schema/?format=json").json()["paths"]
    described = {(path, method.upper()) for path, methods in text.items() for method in methods}
    expected = {("/" + re.sub(r"<\w+:(\w+)>", r"{\1}", row.route), row.method) for row in CALL_ROWS}

    assert described == expected


def test_every_path_of_the_sdk_plane_has_a_row():
    assert {(method, path) for path, (method, _) in edge.ROUTES.items()} == set(EDGE)
    assert set(health.ROUTES) == PROBES


def test_every_task_has_a_row():
    current_app.loader.import_default_modules()
    ours = {
        name: task
        for name, task in current_app.tasks.items()
        if not name.startswith(("celery.", "tests."))
    }

    assert set(ours) == set(TASKS)
    for name, kind in TASKS.items():
        assert isinstance(ours[name], kind)
        assert issubclass(kind, PlatformTask | OrganizationTask)


# --- everybody tries every route --------------------------------------------------------------


@dataclass
class World:
    """Two organizations; acme holds one of everything that a route can name."""

    acme: Organization
    people: dict[str, User]
    stranger: User
    names: dict[str, str] = field(default_factory=dict)

    def path(self, route: str, organization: str = "acme") -> str:
        def value(match: re.Match[str]) -> str:
            name = match.group(1)
            if name == "organization":
                return organization
            if name in {"slug", "public_id"}:
                before = route[: match.start()].removeprefix(PAGE).removeprefix(API)
                name = f"{before.rstrip('/').rpartition('/')[2]}.{name}"
            return self.names[name]

        return "/" + re.sub(r"<\w+:(\w+)>", value, route)


@pytest.fixture
def world(acme, rival, actor) -> World:
    people = {role: make_member(acme, role) for role in Role.values}
    guest = make_member(acme, Role.VIEWER, "leaving@acme.example")
    make_stream(acme, "final", starts_at=timezone.now() + timedelta(hours=1))
    client = make_client(acme, "web")
    make_token(acme)
    now = timezone.now()
    invitation = Invitation.objects.create(
        organization=acme,
        email="guest@new.example",
        role=Role.VIEWER,
        secret_sha256="hash",
        expires_at=now + timedelta(days=1),
    )
    with organization_context(acme.schema_name):
        fields = KeyFields(name="Production", kind="publishable")
        issued = create_key(organization=acme, client=client, fields=fields, actor=actor, at=now)
        written = set_override(scope=Scope(), key="chat.slow_mode_s", value=10, actor=actor, at=now)
        entry = audit.record(
            action="stream.create", actor=actor, target=Target(type="stream", id="final"), at=now
        )
    names = {
        "user_id": str(guest.pk),
        "invitation_id": str(invitation.pk),
        "entry_id": str(entry.pk),
        "version": str(written.version),
        "key": "chat.slow_mode_s",
        "stream": "final",
        "client": "web",
        "streams.slug": "final",
        "clients.slug": "web",
        "tokens.public_id": ApiToken.objects.get().public_id,
        "keys.public_id": issued.key.public_id,
        "to": "live",
        "verb": "disable",
    }
    return World(acme, people, make_member(rival, Role.OWNER), names)


@pytest.fixture
def attempt():
    """Send one request and undo whatever it did; returns status, body and refusals recorded."""

    def sent(browser: Browser, method: str, path: str) -> tuple[int, str, int]:
        with transaction.atomic():
            answer = browser.generic(method, path, b"", content_type="application/json")
            with organization_context("org_acme"):
                refusals = AuditEntry.objects.filter(result="refused").count()
            transaction.set_rollback(True)
        return answer.status_code, answer.headers.get("Location", ""), refusals

    return sent


def expect(row: Row, role: str, status: int, refusals: int) -> str:
    """Return what is wrong with this answer to a member of this role, if anything."""
    if row.permission in permissions_of(role):
        wrong = status in REFUSED or status >= 500
        return f"{role} may, but got {status}" if wrong else ""
    if status != 403:
        return f"{role} may not, but got {status}"
    recorded = 0 if row.method == "GET" else 1
    return "" if refusals == recorded else f"{role}: {refusals} refusals recorded"


@pytest.mark.parametrize("row", PAGE_ROWS, ids=str)
def test_page(row, world, browse, attempt):
    path = world.path(row.route)
    wrong = []
    for role, person in world.people.items():
        status, _, refusals = attempt(browse(person), row.method, path)
        wrong.append(expect(row, role, status, refusals))

    status, _, _ = attempt(browse(world.stranger), row.method, path)
    wrong.append("" if status == 404 else f"owner of rival got {status}")
    status, location, _ = attempt(browse(), row.method, path)
    anonymous = status == 302 and location.startswith("/accounts/login/?next=")
    wrong.append("" if anonymous else f"anonymous got {status} {location}")

    assert [sentence for sentence in wrong if sentence] == []


@pytest.mark.parametrize("row", CALL_ROWS, ids=str)
def test_call(row, world, rival, api, attempt):
    path = world.path(row.route)
    wrong = []
    for role in Role.values:
        status, _, refusals = attempt(api(role), row.method, path)
        wrong.append(expect(row, role, status, refusals))

    status, _, _ = attempt(api(Role.OWNER, rival), row.method, path)
    wrong.append("" if status == 404 else f"token of rival got {status}")
    status, _, _ = attempt(Browser(), row.method, path)
    wrong.append("" if status == 401 else f"without a token got {status}")

    assert [sentence for sentence in wrong if sentence] == []


NAMED = re.compile(r"<\w+:(user_id|invitation_id|entry_id|slug|public_id|stream|client)>")


@pytest.mark.parametrize("row", [row for row in PAGE_ROWS if NAMED.search(row.route)], ids=str)
def test_names_of_another_organization_find_nothing_in_ones_own(row, world, browse, attempt):
    path = world.path(row.route, organization="rival")

    status, _, _ = attempt(browse(world.stranger), row.method, path)

    assert status in {404, 422}


@pytest.mark.parametrize("row", [row for row in CALL_ROWS if NAMED.search(row.route)], ids=str)
def test_names_of_another_organization_are_unknown_to_its_own_token(
    row, world, rival, api, attempt
):
    path = world.path(row.route, organization="rival")

    status, _, _ = attempt(api(Role.OWNER, rival), row.method, path)

    # A body that is looked at first is refused for what it lacks.
    assert status in ({404} if row.method in {"GET", "DELETE"} else {400, 404, 428})


@pytest.mark.parametrize(("route", "needed"), OUTSIDE.items())
def test_page_outside_the_organizations(route, needed, db, browse):
    path = "/" + re.sub(r"<\w+:\w+>", "nothing", route)

    answer = browse().get(path)

    if needed == SIGNED_IN:
        assert answer["Location"].startswith("/accounts/login/?next=")
    else:
        assert answer.status_code in {200, 404, 405, 410}


@pytest.mark.parametrize(("route", "status"), ALLAUTH.items())
def test_page_of_allauth(route, status, db, browse):
    path = route.replace("^", "").replace("$", "")
    path = re.sub(r"\(\?P<\w+>.+?\)(?=[/-])", "abc", path)

    answer = browse().get("/" + path)

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("call", "status"), [(call, status) for call, status in EDGE.items() if status], ids=str
)
@pytest.mark.django_db(transaction=True)
async def test_sdk_plane_without_a_key(call, status):
    async def nowhere(scope, receive, send):
        raise AssertionError("it fell through to Django")

    method, path = call
    transport = httpx.ASGITransport(app=serve(nowhere))
    await start_process()
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as sdk:
            answer = await sdk.request(method, path)
    finally:
        await stop_process()

    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/sdk/v2/live", "/live", "/o/acme/live"])
async def test_sockets_open_nowhere_else(path):
    assert path not in SOCKETS
    sent = []

    async def collect(message):
        sent.append(message)

    async def nowhere(scope, receive, send):
        raise AssertionError("it fell through to Django")

    await serve(nowhere)({"type": "websocket", "path": path}, None, collect)

    assert sent == [{"type": "websocket.close", "code": 4404}]
