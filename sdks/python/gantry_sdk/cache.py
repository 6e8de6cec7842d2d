"""What did the application hold when it last ran? (docs/sdk-protocol.md section 9)"""

import contextlib
import hashlib
import json
import os
import uuid
from pathlib import Path

from .configuration import (
    JsonObject,
    JsonValue,
    Refused,
    Snapshot,
    advanced,
    field_of,
    parse_object,
)
from .transport import KeyRing

FORMAT = 1
MAX_DELTAS = 256


class Cache:
    """The signed chain from the last whole configuration on; in memory only when `folder` is None."""

    def __init__(self, folder: Path | None, *, base_url: str, key_id: str, stream: str) -> None:
        name = hashlib.sha256(f"{base_url}\n{key_id}\n{stream}".encode()).hexdigest()[:24]
        self._path = folder / f"{name}.json" if folder else None
        self._names = {"base_url": base_url, "key_id": key_id, "stream": stream}
        self._chain: list[str] = []
        self.device_id = str(uuid.uuid4())

    def load(self, keys: KeyRing) -> Snapshot | None:
        """Return what the stored chain proves, or None; anything wrong discards all of it."""
        document: JsonObject = {}
        with contextlib.suppress(OSError, Refused):
            document = parse_object(self._path.read_bytes()) if self._path else {}
        if isinstance(device_id := document.get("device_id"), str):
            self.device_id = device_id
        try:
            return self._proven(document, keys)
        except Refused:
            keys.trust({})
            return None

    def _proven(self, document: JsonObject, keys: KeyRing) -> Snapshot | None:
        if not {**self._names, "format": FORMAT}.items() <= document.items():
            return None
        keys.trust(field_of(document, "jwks", dict))
        deltas: list[JsonValue] = field_of(document, "deltas", list)
        chain = [field_of(document, "jws", str), *map(str, deltas)]
        held: Snapshot | None = None
        for link in chain:
            held = advanced(held, keys.verify_at_hand(link), stream=self._names["stream"])
        self._chain = chain
        return held

    def remember(self, jws: str, *, whole: bool, keys: KeyRing) -> None:
        """Extend the chain by an accepted JWS, or begin a new one, and replace the file.

        A disk that refuses costs the next start its cache, nothing else.
        """
        longest = 1 + MAX_DELTAS  # one more marks a chain that has outgrown the file
        self._chain = [jws] if whole else [*self._chain, jws][: longest + 1]
        if self._path is None or len(self._chain) > longest:
            return
        chain = {"jwks": dict(keys.jwks), "jws": self._chain[0], "deltas": self._chain[1:]}
        document = {"format": FORMAT, **self._names, "device_id": self.device_id, **chain}
        fresh = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(document))
            fresh.replace(self._path)
        except OSError:
            fresh.unlink(missing_ok=True)
