"""How long does it take to resolve 100 settings over four levels, with provenance?

Usage: python benchmarks/resolve.py [--json]. Needs no running instance. The floor is a plain merge
of four dictionaries of the same sizes, measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import timeit
from collections.abc import Callable
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from settings_hierarchy.catalogue import CATALOGUE  # noqa: E402
from settings_hierarchy.resolution import (  # noqa: E402
    Layer,
    Outline,
    SourcedValue,
    delivered_settings,
    delta,
    resolve,
)
from settings_hierarchy.schema import OVERRIDE_LEVELS, Catalogue  # noqa: E402

SETTINGS = 100
OVERRIDES_PER_LEVEL = 20
LOCKS_PER_LEVEL = 3
LOOPS = 2000
ROUNDS = 25
GOAL_US = 15.0
DELTA_GOAL_US = 50.0  # two signatures


def hundred_settings() -> Catalogue:
    """Return a catalogue of a hundred rows that every level may override."""
    rows = list(CATALOGUE)[:SETTINGS]
    assert len(rows) == SETTINGS
    return Catalogue(groups={}, sources={}, settings={row.key: row for row in rows})


def overrides(outline: Outline, *, locks: int) -> list[Layer]:
    keys = list(outline.defaults)
    layers = []
    for number, level in enumerate(OVERRIDE_LEVELS):
        chosen = keys[number * 10 : number * 10 + OVERRIDES_PER_LEVEL]
        values = {
            key: SourcedValue(
                key=key,
                value=outline.defaults[key].value,
                level=level,
                locked=position < locks,
                version=number + 1,
            )
            for position, key in enumerate(chosen)
        }
        locked = frozenset(key for key, value in values.items() if value.locked)
        layers.append(Layer(level=level, values=values, locked=locked))
    return layers


def best_us(statement: Callable[[], object]) -> float:
    """Return microseconds a call in the quietest of many short rounds."""
    return min(timeit.repeat(statement, number=LOOPS, repeat=ROUNDS)) / LOOPS * 1e6


def measure() -> list[dict[str, object]]:
    outline = Outline.of(hundred_settings())
    plain = overrides(outline, locks=0)
    locked = overrides(outline, locks=LOCKS_PER_LEVEL)
    dictionaries = [
        {key: value.value for key, value in values.items()}
        for values in (outline.defaults, *(layer.values for layer in plain))
    ]
    default, one, two, three, four = dictionaries
    resolved = resolve(outline.defaults, locked)
    settings = delivered_settings(resolved, outline.delivered)
    changed = json.loads(json.dumps(settings)) | {outline.delivered[0]: "changed"}

    floor = best_us(lambda: {**default, **one, **two, **three, **four})
    jobs = {
        "resolve 100 settings, 4 levels, provenance": lambda: resolve(outline.defaults, plain),
        "the same with 12 locks": lambda: resolve(outline.defaults, locked),
        "the same and the snapshot's settings": lambda: delivered_settings(
            resolve(outline.defaults, locked), outline.delivered
        ),
        "delta of two snapshots": lambda: delta(settings, changed),
    }
    lines: list[dict[str, object]] = []
    for job, run in jobs.items():
        figure = best_us(run)
        goal = DELTA_GOAL_US if job.startswith("delta") else GOAL_US
        lines.append(
            {
                "job": job,
                "figure": round(figure, 2),
                "unit": "µs",
                "floor": round(floor, 2),
                "ratio": round(figure / floor, 2),
                "goal": f"<= {goal} µs",
                "ok": figure <= goal,
            }
        )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON line per figure")
    options = parser.parse_args()
    lines = measure()
    for line in lines:
        if options.json:
            print(json.dumps(line, ensure_ascii=False))
        else:
            print(
                f"{line['job']}: {line['figure']} µs, {line['ratio']}x a plain merge "
                f"({line['floor']} µs), goal {line['goal']}"
            )
    return 0 if all(line["ok"] for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
