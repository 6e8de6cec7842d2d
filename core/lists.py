"""Which rows of a list does this address show, and in which order?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest

PAGE_SIZE: Final = 50
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of components/_table.html; `order` names the model fields behind `key`."""

    key: str
    label: str
    sortable: bool = False
    numeric: bool = False
    hidden: bool = False
    order: tuple[str, ...] = ()


def sort_of(request: HttpRequest, columns: Sequence[Column], default: str) -> str:
    """Return the sort key the address asks for ("title", "-title"), or the default."""
    asked = request.GET.get("sort", "")
    sortable = {column.key for column in columns if column.sortable}
    return asked if asked.removeprefix("-") in sortable else default


def page_of(
    request: HttpRequest,
    rows: QuerySet[Row],
    *,
    columns: Sequence[Column],
    sort: str,
    size: int = PAGE_SIZE,
) -> Page[Row]:
    """Return the page of rows the address asks for; a page that does not exist becomes the nearest.

    Rows that are equal in the sort order keep the order of their keys, so none shows twice.
    """
    key = sort.removeprefix("-")
    column = next(column for column in columns if column.key == key)
    sign = "-" if sort.startswith("-") else ""
    order = [f"{sign}{field}" for field in column.order or (key,)]
    return Paginator(rows.order_by(*order, "pk"), size).get_page(request.GET.get("page"))
