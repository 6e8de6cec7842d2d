"""Rules about the project that Django's own checks do not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error


def no_app_in_both_lists(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    """Tenant tables must not exist in `public`: a missing schema then fails instead of leaking."""
    twice = sorted(set(settings.SHARED_APPS) & set(settings.TENANT_APPS))
    return [
        Error(f"{app} is in both SHARED_APPS and TENANT_APPS.", id="gantry.E001") for app in twice
    ]
