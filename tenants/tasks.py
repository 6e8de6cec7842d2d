"""Background work on organizations: making new ones, and trying again where that stopped."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from core.tasks import PlatformTask
from tenants import operations, queries
from tenants.models import Organization

logger = logging.getLogger(__name__)


@shared_task(name="tenants.provision", base=PlatformTask)
def provision(*, organization: str) -> bool:
    """Make the schema of the organization with this short name and open it."""
    row = Organization.objects.get(slug=organization)
    return operations.provision(organization=row, at=timezone.now())


@shared_task(name="tenants.provision_waiting", base=PlatformTask, expires=10)
def provision_waiting() -> int:
    """Finish organizations whose task was lost or failed; returns how many were made."""
    made = 0
    for row in queries.waiting_organizations(at=timezone.now()):
        try:
            made += operations.provision(organization=row, at=timezone.now())
        except Exception:  # one broken organization must not keep the others waiting
            logger.exception("tenants.organization.provision_failed organization=%s", row.slug)
            operations.report_failure(organization=row)
    return made
