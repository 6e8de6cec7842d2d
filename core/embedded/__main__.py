"""`python -m core.embedded`: run Gantry; `python -m core.embedded servers`: its servers alone."""

import os
import signal
import sys
from pathlib import Path

from core.embedded.local_servers import servers
from core.embedded.problem import StartProblem

USAGE = "usage: python -m core.embedded [servers]"


def main(arguments: list[str]) -> int:
    """Run what was asked for; every expected failure is one sentence and exit status 1."""
    try:
        if arguments == ["servers"]:
            return run_servers(Path(os.environ.get("GANTRY_VAR", "var")))
    except StartProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    print(USAGE, file=sys.stderr)
    return 2


def run_servers(var: Path) -> int:
    """Run the three servers until Ctrl-C or SIGTERM, for work with manage.py beside them."""
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with servers(var) as endpoints:
        print(f"PostgreSQL, Valkey and ClickHouse run; their URLs are in {var}/endpoints.json.")
        for name, url in endpoints.environment().items():
            print(f"  {name}={url}")
        print("Ctrl-C stops them.", flush=True)
        signal.sigwait(signals)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
