"""The SDK plane alone, for processes that serve nothing else."""

from __future__ import annotations

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)

from live import edge  # noqa: E402
from live.serving import serve  # noqa: E402


async def nothing_else(scope: Any, receive: Any, send: Any) -> None:
    await edge.application(scope, receive, send)  # answers 404 as problem+json


application = serve(nothing_else)
