"""Committed organizations with keys, and a live process to speak to: sockets need real rows."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import httpx
import pytest
import redis
import uvicorn
import websockets
from django.conf import settings
from django.db import connections
from django.utils import timezone

from config.asgi import application
from core.audit import Actor
from core.tenancy import organization_context
from sdk_keys.models import SdkKey
from settings_hierarchy import operations as settings_operations
from settings_hierarchy import queries as settings_queries
from settings_hierarchy.models import Scope
from streams.models import Client, Stream
from tenants import operations as tenant_operations
from tenants.models import Organization, User
from tenants.provisioning import drop_schema

_numbers = itertools.count(1)
SYSTEM = Actor.system("tests")


@dataclass
class Place:
    """One committed organization with a live stream `derby` and clients `web` and `ios`."""

    slug: str
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def schema_name(self) -> str:
        return "org_" + self.slug.replace("-", "_")

    @property
    def organization(self) -> Organization:
        return Organization.objects.get(slug=self.slug)

    def add_key(self, client: str = "web", kind: str = "publishable", **fields) -> str:
        public_id, secret = secrets.token_hex(6), secrets.token_hex(16)
        SdkKey.objects.create(
            organization=self.organization,
            client_slug=client,
            name=f"{client} key",
            kind=kind,
            public_id=public_id,
            secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
            **fields,
        )
        return f"gk_{kind}_{public_id}_{secret}"

    def add_stream(self, slug: str, state: str = "live") -> None:
        with organization_context(self.schema_name):
            Stream.objects.create(slug=slug, title=slug, state=state)

    def publish(self, key: str, value: object, *, stream: str | None = "derby", client=None) -> int:
        with organization_context(self.schema_name):
            scope = Scope(
                stream=Stream.objects.get(slug=stream) if stream else None,
                client=Client.objects.get(slug=client) if client else None,
            )
            settings_operations.set_override(
                scope=scope, key=key, value=value, actor=SYSTEM, at=timezone.now()
            )
            return settings_queries.current_version()


def make_place() -> Place:
    place = Place(slug=f"live-{next(_numbers)}-{secrets.token_hex(3)}")
    owner = User.objects.create_user(f"owner@{place.slug}.example")
    organization = tenant_operations.create_organization(
        name=place.slug, slug=place.slug, owner=owner, actor=SYSTEM, at=timezone.now()
    )
    tenant_operations.provision(organization=organization, at=timezone.now())
    with organization_context(place.schema_name):
        Stream.objects.create(slug="derby", title="Derby", state="live")
        for slug, platform in (("web", "web"), ("ios", "ios")):
            Client.objects.create(slug=slug, name=slug, platform=platform)
    place.keys = {slug: place.add_key(slug) for slug in ("web", "ios")}
    return place


def drop_place(place: Place) -> None:
    drop_schema(place.schema_name)
    User.objects.filter(email__endswith=f"@{place.slug}.example").delete()
    Organization.objects.filter(slug=place.slug).delete()


def committed(function, *args, **kwargs):
    """Run database work on a connection of its own, outside the test's transaction."""

    def work():
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(work).result()


_left: list[Place] = []


@pytest.fixture(scope="module", autouse=True)
def drop_places(django_db_setup, django_db_blocker):
    """Drop what the module's tests committed, once no test's transaction holds on to it."""
    yield
    with django_db_blocker.unblock():
        while _left:
            committed(drop_place, _left.pop())


def _new_place() -> Place:
    made = committed(make_place)
    _left.append(made)
    return made


@pytest.fixture
def place(db) -> Place:
    return _new_place()


@pytest.fixture
def other_place(db) -> Place:
    return _new_place()


class Process:
    """A live process on a port of its own: real uvicorn, real loop, in a thread."""

    def __init__(self) -> None:
        self.server = uvicorn.Server(
            uvicorn.Config(
                application,
                port=0,
                loop="uvloop",
                http="httptools",
                ws="websockets-sansio",
                ws_per_message_deflate=False,
                ws_max_size=1_048_576,
                access_log=False,
                log_config=None,  # with one, pytest's own handlers would count as an access log
                log_level="warning",
                timeout_graceful_shutdown=2,
            )
        )
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    @property
    def port(self) -> int:
        return self.server.servers[0].sockets[0].getsockname()[1]

    def start(self) -> None:
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive(), "the server did not start"
            self.thread.join(0.01)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture(scope="module")
def process(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        running = Process()
        running.start()
        yield running
        running.stop()


@pytest.fixture(scope="session")
def valkey() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


class Sdk:
    """A bare SDK for tests: what is sent and received, nothing else."""

    def __init__(self, port: int, key: str) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.port = port
        self.key = key
        self.http = httpx.AsyncClient(base_url=self.base)
        self.token = ""
        self.snapshot: dict = {}
        self.answer: dict = {}

    async def open(self, stream: str = "derby", **headers: str) -> httpx.Response:
        answer = await self.http.post(
            "/sdk/v1/sessions",
            json={"stream": stream, "sdk": {"name": "tests", "version": "1.0"}},
            headers={"X-SDK-Key": self.key, **headers},
        )
        if answer.status_code == 201:
            self.answer = answer.json()
            self.token, self.snapshot = self.answer["token"], self.answer["snapshot"]
        return answer

    async def config(self, **headers: str) -> httpx.Response:
        headers.setdefault("Authorization", f"Bearer {self.token}")
        return await self.http.get("/sdk/v1/config", headers=headers)

    async def connect(self, *, hello: int | None = None, **options):
        options.setdefault("subprotocols", ["gantry.v1", f"bearer.{self.token}"])
        socket = await websockets.connect(
            f"ws://127.0.0.1:{self.port}/sdk/v1/live", compression=None, **options
        )
        if hello is not None:
            await socket.send(json.dumps({"type": "hello", "version": hello}))
            assert (await receive(socket))["type"] == "hello"
        return socket


async def receive(socket, *, skip: tuple[str, ...] = ("ping",), within_s: float = 5) -> dict:
    """Return the next frame that is not a heartbeat."""
    async with asyncio.timeout(within_s):
        while True:
            frame = json.loads(await socket.recv())
            if frame["type"] not in skip:
                return frame


async def silent(socket, for_s: float = 0.4) -> bool:
    """Say whether nothing but heartbeats comes."""
    with contextlib.suppress(TimeoutError):
        await receive(socket, within_s=for_s)
        return False
    return True


async def ending(socket) -> tuple[dict, int]:
    """Return the bye frame and the close code."""
    frame = await receive(socket, skip=("ping", "hello", "current", "config"))
    await asyncio.wait_for(socket.wait_closed(), 5)
    return frame, socket.close_code


async def until(condition, within_s: float = 5.0):
    """Wait for something observable to become true and return it."""
    async with asyncio.timeout(within_s):
        while not (found := condition()):  # noqa: ASYNC110  what is awaited is in another thread
            await asyncio.sleep(0.02)
    return found


@pytest.fixture
async def sdk(process, place):
    made = Sdk(process.port, place.keys["web"])
    yield made
    await made.http.aclose()


def in_thread(function, *args, **kwargs):
    """Run committed database work beside the loop, as another process would."""
    return asyncio.get_running_loop().run_in_executor(
        None, partial(committed, function, *args, **kwargs)
    )
