"""Which house rules does ruff not know? `python -m core.lint` prints violations and exits 1.

The rules answer faults that were reproduced: a schema left set on a shared thread leaked another
organization's rows in two reads of three.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_FUNCTION_LINES = 60
SKIPPED = {".venv", "var", "migrations", "node_modules", "static"}

SCHEMA_CALLS = {
    "set_schema",
    "set_tenant",
    "set_schema_to_public",
    "schema_context",
    "tenant_context",
    "deactivate",
}
ENTERING = {"organization_context", "public_context", "schema_context", "tenant_context"}
MAY_NAME_SCHEMA = {"core/tenancy.py", "tests/conftest.py", "tests/core/test_tenancy.py"}
BARE_THREADS = {"Thread", "ThreadPoolExecutor", "to_thread", "run_in_executor"}
# Processes that use no Django connection, and the test harness.
MAY_START_THREADS = (
    "core/embedded/",
    "sdks/",
    "tests/",
    "benchmarks/",
    "chaos/",
    "analytics/ingest.py",
    "live/health.py",  # asks ClickHouse, never the database
)


@dataclass(frozen=True, kw_only=True)
class Violation:
    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule} {self.message}"


def check_source(path: str, source: str) -> list[Violation]:
    """Return what is wrong with one file, `path` relative to the repository."""
    tree = ast.parse(source, path)
    found = [
        Violation(path=path, line=line, rule=rule, message=message)
        for node in ast.walk(tree)
        for line, rule, message in _rules(path, node)
    ]
    return sorted(found, key=lambda violation: violation.line)


def _rules(path: str, node: ast.AST) -> Iterator[tuple[int, str, str]]:
    if isinstance(node, ast.Call):
        yield from _call(path, node)
    elif isinstance(node, ast.With | ast.AsyncWith):
        yield from _context(node)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > MAX_FUNCTION_LINES:
            yield node.lineno, "GT005", f"{node.name} has {length} lines, over 60"


def _call(path: str, node: ast.Call) -> Iterator[tuple[int, str, str]]:
    name = _name(node.func)
    if name in SCHEMA_CALLS and path not in MAY_NAME_SCHEMA:
        yield node.lineno, "GT001", f"{name}() belongs to core/tenancy.py"
    if name in BARE_THREADS and not path.startswith(MAY_START_THREADS):
        yield node.lineno, "GT003", f"{name}: a bare thread has no organization"
    for keyword in node.keywords:
        value = keyword.value
        is_false = isinstance(value, ast.Constant) and value.value is False
        if keyword.arg == "thread_sensitive" and is_false:
            yield node.lineno, "GT002", "thread_sensitive=False reads the public schema"


def _context(node: ast.With | ast.AsyncWith) -> Iterator[tuple[int, str, str]]:
    names = {
        _name(item.context_expr.func)
        for item in node.items
        if isinstance(item.context_expr, ast.Call)
    }
    if names & ENTERING and any(isinstance(inner, ast.Await) for inner in ast.walk(node)):
        yield node.lineno, "GT004", "an await inside an organization leaks it: run_in_organization"


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def python_files(root: Path = ROOT) -> Iterator[Path]:
    for path in sorted(root.rglob("*.py")):
        if not SKIPPED & set(path.relative_to(root).parts):
            yield path


def main() -> int:
    violations = [
        violation
        for path in python_files()
        for violation in check_source(path.relative_to(ROOT).as_posix(), path.read_text())
    ]
    for violation in violations:
        sys.stdout.write(f"{violation}\n")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
