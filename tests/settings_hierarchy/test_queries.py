"""Queries: what a scope resolves to, in how many statements, now and in the past."""

from __future__ import annotations

import pytest

from settings_hierarchy.models import Scope
from settings_hierarchy.queries import current_version, load_path

pytestmark = pytest.mark.django_db


def test_a_new_organization_is_at_version_one(in_acme):
    assert current_version() == 1
    assert load_path(Scope()).version == 1
