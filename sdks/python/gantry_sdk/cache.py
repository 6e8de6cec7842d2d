"""What did the application hold when it last ran? (docs/sdk-protocol.md section 9)"""

import hashlib
import json
import os
import uuid
from pathlib import Path

from .configuration import JsonObject, Refused, Snapshot, advanced, parse_object
from .transport import KeyRing

FORMAT = 1
MAX_DELTAS = 256


class Cache:
    """The signed chain from the last whole configuration on; in memory only when `folder` is None."""

    def __init__(self, folder: Path | None, *, base_url: str, key_id: str, stream: str) -> None:
        name = hashlib.sha256(f"{base_url}\n{key_id}\n{stream}".encode()).hexdigest()[:24]
        self._path = folder / f"{name}.json" if folder else None
        self._names: JsonObject = {"base_url": base_url, "key_id": key_id, "stream": stream}
        self._stream = stream
        self._jws = ""
        self._deltas: list[str] = []
        self._complete = False
        self.device_id = str(uuid.uuid4())

    def load(self, keys: KeyRing) -> Snapshot | None:
        """Return what the stored chain proves, or None; anything wrong discards all of it."""
        try:
            document = parse_object(self._path.read_bytes()) if self._path else {}
        except (OSError, Refused):
            return None
        if isinstance(document.get("device_id"), str):
            self.device_id = str(document["device_id"])
        try:
            return self._proven(document, keys)
        except Refused:
            keys.trust({})
            return None

    def _proven(self, document: JsonObject, keys: KeyRing) -> Snapshot | None:
        jwks, jws, deltas = (document.get(name) for name in ("jwks", "jws", "deltas"))
        same = {**self._names, "format": FORMAT}.items() <= document.items()
        if not (
            same and isinstance(jwks, dict) and isinstance(jws, str) and isinstance(deltas, list)
        ):
            return None
        keys.trust(jwks)
        chain = [jws, *map(str, deltas)]
        held: Snapshot | None = None
        for link in chain:
            held = advanced(held, keys.verify_at_hand(link), stream=self._stream)
        self._jws, self._deltas, self._complete = jws, chain[1:], True
        return held

    def extend(self, jws: str, *, whole: bool) -> None:
        """Remember one accepted JWS: a whole configuration starts a new chain."""
        if whole:
            self._jws, self._deltas, self._complete = jws, [], True
        elif len(self._deltas) < MAX_DELTAS and self._complete:
            self._deltas.append(jws)
        else:
            self._complete = False

    def save(self, keys: KeyRing) -> None:
        """Replace the file; a disk that refuses costs the next start its cache, nothing else."""
        if self._path is None or not self._complete:
            return
        chain = {"jwks": dict(keys.jwks), "jws": self._jws, "deltas": self._deltas}
        document = {"format": FORMAT, **self._names, "device_id": self.device_id, **chain}
        fresh = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(document))
            fresh.replace(self._path)
        except OSError:
            fresh.unlink(missing_ok=True)
