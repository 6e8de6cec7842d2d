"""One line per figure, for people or as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

Line = dict[str, Any]


def figure(
    job: str, value: float, unit: str, *, goal: str, ok: bool, floor: float | None = None
) -> Line:
    line: Line = {"job": job, "figure": round(value, 2), "unit": unit}
    if floor is not None:
        line |= {"floor": round(floor, 2), "ratio": round(value / floor, 2) if floor else None}
    return line | {"goal": goal, "ok": bool(ok)}


def run(
    description: str, measure: Callable[[argparse.Namespace], list[Line]], **options: Any
) -> int:
    """Measure, print, and return 1 when any goal is missed."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON line per figure")
    for name, default in options.items():
        parser.add_argument(f"--{name}", default=default, type=type(default))
    lines = measure(chosen := parser.parse_args())
    for line in lines:
        print(json.dumps(line, ensure_ascii=False) if chosen.json else _sentence(line))
    sys.stdout.flush()
    return 0 if all(line["ok"] for line in lines) else 1


def _sentence(line: Line) -> str:
    beside = f", {line['ratio']}x the floor {line['floor']}" if "floor" in line else ""
    verdict = "" if line["ok"] else "  MISSED"
    return f"{line['job']}: {line['figure']} {line['unit']}{beside}, goal {line['goal']}{verdict}"
