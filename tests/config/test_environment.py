from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment


@pytest.mark.parametrize(("raw", "value"), [("1", True), ("Yes", True), ("0", False), ("", True)])
def test_switch_is_read(monkeypatch, raw, value):
    monkeypatch.setenv("GANTRY_SWITCH", raw)

    assert environment.flag("GANTRY_SWITCH", default=True) is value


def test_switch_of_another_word_is_refused(monkeypatch):
    monkeypatch.setenv("GANTRY_SWITCH", "maybe")

    with pytest.raises(ImproperlyConfigured, match="GANTRY_SWITCH must be 1 or 0"):
        environment.flag("GANTRY_SWITCH", default=False)


@pytest.mark.parametrize("raw", ["0", "65536", "-1", "eighty", "8000.5"])
def test_number_out_of_range_is_refused(monkeypatch, raw):
    monkeypatch.setenv("GANTRY_NUMBER", raw)

    with pytest.raises(ImproperlyConfigured, match="from 1 to 65535"):
        environment.number("GANTRY_NUMBER", default=8000, low=1, high=65535)


def test_number_is_read(monkeypatch):
    monkeypatch.setenv("GANTRY_NUMBER", "8123")

    assert environment.number("GANTRY_NUMBER", default=8000, low=1, high=65535) == 8123


def test_list_is_read(monkeypatch):
    monkeypatch.setenv("GANTRY_LIST", "a.example, b.example,")

    assert environment.items("GANTRY_LIST", []) == ["a.example", "b.example"]


def test_database_address_is_taken_apart():
    fields = environment.database("postgres://me:p%40ss@db.example:6543/gantry")

    assert fields == {
        "NAME": "gantry",
        "USER": "me",
        "PASSWORD": "p@ss",
        "HOST": "db.example",
        "PORT": 6543,
    }


@pytest.mark.parametrize(
    "url", ["mysql://me@db/gantry", "postgres://db.example", "postgres:///gantry", "gantry"]
)
def test_other_database_address_is_refused(url):
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL must look like"):
        environment.database(url)


def test_address_of_another_kind_is_refused():
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL must start with redis://"):
        environment.checked_url("REDIS_URL", "http://cache", {"redis"})
