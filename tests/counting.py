"""How many queries does this take? Entering an organization's schema is not counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.test.utils import CaptureQueriesContext


@contextmanager
def at_most(limit: int) -> Iterator[None]:
    with CaptureQueriesContext(connection) as captured:
        yield
    asked = [row["sql"] for row in captured.captured_queries if "search_path" not in row["sql"]]
    assert len(asked) <= limit, "\n".join([f"{len(asked)} queries, over {limit}:", *asked])
