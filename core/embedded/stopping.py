"""Has someone asked Gantry to stop? Ctrl-C, SIGTERM or a closed terminal, noticed only where we wait."""

import signal
import time
from types import FrameType

CHECK_S = 0.1


class Stopped(Exception):
    """Raised from a wait once a stop was asked for."""


class StopRequests:
    """Counts the requests, so that nothing is torn apart in the middle of a step."""

    def __init__(self) -> None:
        self._seen = 0
        self._heeded = 0

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def heed(self) -> None:
        """Count what came so far as answered: only a further request breaks a wait off."""
        self._heeded = self._seen

    def pause(self, seconds: float) -> None:
        """Wait; raises Stopped as soon as there is a request that was not heeded yet."""
        deadline = time.monotonic() + seconds
        while self._seen == self._heeded and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, CHECK_S))
        if self._seen != self._heeded:
            raise Stopped

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._seen += 1
