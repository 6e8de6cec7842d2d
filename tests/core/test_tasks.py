"""A task says whose rows it touches, or it does not run."""

import pytest
from celery import current_app, shared_task

from core import tasks
from core.tenancy import current_schema


@shared_task(name="tests.where_am_i", base=tasks.OrganizationTask)
def where_am_i(**kwargs):
    return current_schema()


@shared_task(name="tests.platform", base=tasks.PlatformTask)
def on_the_platform():
    return current_schema()


def test_it_runs_inside_its_organization(acme):
    assert where_am_i.apply(kwargs={"schema_name": "org_acme"}).get() == "org_acme"
    assert current_schema() == "public"


@pytest.mark.parametrize("given", [{}, {"schema_name": ""}, {"schema_name": None}])
def test_without_an_organization_it_is_refused(given):
    with pytest.raises(tasks.MissingOrganization, match="where_am_i"):
        where_am_i.apply(kwargs=given).get()


def test_public_is_no_organization():
    with pytest.raises(ValueError, match="required"):
        where_am_i.apply(kwargs={"schema_name": "public"}).get()


def test_platform_tasks_run_in_public(in_acme):
    assert on_the_platform.apply().get() == "public"
    assert current_schema() == "org_acme"


def test_every_task_of_ours_carries_its_organization_or_is_the_platforms():
    current_app.loader.import_default_modules()
    kinds = (tasks.OrganizationTask, tasks.PlatformTask)
    stray = [
        name
        for name, task in current_app.tasks.items()
        if not name.startswith("celery.") and not isinstance(task, kinds)
    ]

    assert stray == []


def test_every_scheduled_task_exists():
    current_app.loader.import_default_modules()
    named = {entry["task"] for entry in current_app.conf.beat_schedule.values()}

    assert named <= set(current_app.tasks)
