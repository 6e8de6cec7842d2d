"""The Celery application: tasks are found in every app's tasks.py."""

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("gantry", task_cls="core.tasks:OrganizationTask")
app.conf.update(settings.CELERY)
app.autodiscover_tasks()
