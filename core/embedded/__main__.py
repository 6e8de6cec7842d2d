"""`python -m core.embedded`: run Gantry; `python -m core.embedded servers`: its servers alone."""

import contextlib
import os
import sys
from pathlib import Path

from core.embedded import folder
from core.embedded.local_servers import servers
from core.embedded.options import Options
from core.embedded.problem import StartProblem
from core.embedded.programs import ProductFor, product
from core.embedded.stopping import Stopped, StopRequests
from core.embedded.supervisor import Supervisor

USAGE = "usage: python -m core.embedded [servers]"


def main(arguments: list[str], *, product_for: ProductFor = product) -> int:
    """Run what was asked for; every expected failure is one sentence and exit status 1."""
    if arguments not in ([], ["servers"]):
        print(USAGE, file=sys.stderr)
        return 2
    os.umask(0o077)
    stops = StopRequests()
    stops.listen()
    try:
        options = Options.from_environment(os.environ)
        if arguments:
            run_servers(options.var, stops)
        else:
            run_gantry(options, stops, product_for)
    except StartProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def run_gantry(options: Options, stops: StopRequests, product_for: ProductFor) -> None:
    with folder.claimed(options.var):
        Supervisor(options, stops, product_for).run()


def run_servers(var: Path, stops: StopRequests) -> None:
    """Run the three servers until Ctrl-C or SIGTERM, for work with manage.py beside them."""
    with servers(var), contextlib.suppress(Stopped):
        print(f"PostgreSQL, Valkey and ClickHouse run; their URLs are in {var}/endpoints.json.")
        print("Ctrl-C stops them.", flush=True)
        while True:
            stops.pause(1.0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
