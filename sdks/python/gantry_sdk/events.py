"""Which engagement events are still to be sent, and in which batch? (docs/sdk-protocol.md section 10)"""

import gzip
import json
import uuid
from collections import Counter, deque
from collections.abc import Mapping
from datetime import UTC, datetime

MAX_BATCH_EVENTS = 1000
MAX_BATCH_BYTES = 900_000
MAX_WAITING = 10_000
GZIP_FROM_BYTES = 1024


class EventQueue:
    """Events in order; the batch being sent stays the same, ids included, until it is settled."""

    def __init__(self, counters: Counter[str]) -> None:
        self._waiting: deque[bytes] = deque()
        self._batch: list[bytes] = []
        self._counters = counters

    def __len__(self) -> int:
        return len(self._waiting) + len(self._batch)

    def add(self, kind: str, properties: Mapping[str, str | float | bool] | None) -> None:
        """Queue one event; raises ValueError for a number that is not finite."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        clean = {
            _clean(name): _clean(value) if isinstance(value, str) else value
            for name, value in (properties or {}).items()
        }
        event = {"id": str(uuid.uuid4()), "type": kind, "at": now, "properties": clean}
        self._waiting.append(json.dumps(event, allow_nan=False).encode())
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self._counters["events-dropped"] += 1

    def body(self) -> tuple[bytes, dict[str, str]] | None:
        """Return the body and headers of the batch to send now, or None when there is nothing."""
        size = 0
        most = 0 if self._batch else MAX_BATCH_EVENTS  # what was halved is not filled up again
        while self._waiting and len(self._batch) < most:
            size += len(self._waiting[0]) + 1
            if self._batch and size > MAX_BATCH_BYTES:
                break
            self._batch.append(self._waiting.popleft())
        if not self._batch:
            return None
        raw = b"[" + b",".join(self._batch) + b"]"
        headers = {"Content-Type": "application/json"}
        if len(raw) < GZIP_FROM_BYTES:
            return raw, headers
        return gzip.compress(raw, 5), {**headers, "Content-Encoding": "gzip"}

    def settle(self) -> None:
        """Forget the batch: it was accepted, or the server will never take it."""
        self._batch = []

    def halve(self) -> bool:
        """Keep half of the batch and put the rest back; False when it is a single event."""
        half = len(self._batch) // 2
        if half:
            self._waiting.extendleft(reversed(self._batch[half:]))
            del self._batch[half:]
        return half > 0


def _clean(text: str) -> str:
    """Take out what no JSON should carry: one such text would cost the whole batch."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "")
