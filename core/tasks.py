"""Background work of the kit: tasks carry their organization explicitly."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task, shared_task
from django.apps import apps
from django.conf import settings
from django.utils import timezone

from core import idempotency, push
from core.tenancy import organization_context, public_context

logger = logging.getLogger(__name__)


class MissingOrganization(TypeError):
    """A task was sent without `schema_name`, so nobody knows whose rows it would touch."""


class PlatformTask(Task):  # type: ignore[type-arg]  # celery's Task is not generic at run time
    """Runs in the public schema; its work enters organizations one by one."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with public_context():
            return self.run(*args, **kwargs)


class OrganizationTask(Task):  # type: ignore[type-arg]  # celery's Task is not generic at run time
    """Runs inside the schema given as `schema_name=`: the project's default."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        schema_name = kwargs.get("schema_name")
        if not schema_name:
            raise MissingOrganization(f"{self.name} needs schema_name=")
        with organization_context(schema_name):
            return self.run(*args, **kwargs)


@shared_task(name="core.sweep_outbox", base=PlatformTask, expires=5)
def sweep_outbox() -> int:
    """Relay what the processes that wrote it could not."""
    organizations = apps.get_model(settings.TENANT_MODEL).objects.active()
    sent = 0
    for schema_name in organizations.values_list("schema_name", flat=True):
        sent += push.sweep(schema_name)
    if sent:
        logger.info("core.outbox.swept rows=%d", sent)
    return sent


@shared_task(name="core.forget_idempotent_answers", base=PlatformTask, expires=600)
def forget_idempotent_answers() -> int:
    """Delete stored answers older than a day in every organization."""
    organizations = apps.get_model(settings.TENANT_MODEL).objects.active()
    deleted = 0
    for schema_name in organizations.values_list("schema_name", flat=True):
        with organization_context(schema_name):
            deleted += idempotency.forget_old_answers(at=timezone.now())
    return deleted
