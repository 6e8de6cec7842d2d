"""What does this process count about itself?"""

from __future__ import annotations

from collections import Counter

ANSWERS: Counter[tuple[str, int]] = Counter()  # (call, status) → answers
