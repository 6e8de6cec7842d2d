"""How is a stream made from another one, settings included?"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from core.audit import Actor
from settings_hierarchy.operations import copy_overrides
from streams.models import Stream
from streams.operations import clone_stream
from streams.validation import StreamFields


def clone_stream_with_overrides(
    *, source: Stream, fields: StreamFields, actor: Actor, at: datetime
) -> Stream:
    """Make a draft with these fields and every override of `source`, both or neither.

    Raises InvalidFields.
    """
    with transaction.atomic():
        clone = clone_stream(source=source, fields=fields, actor=actor, at=at)
        copy_overrides(from_stream=source, to_stream=clone, actor=actor, at=at)
    return clone
