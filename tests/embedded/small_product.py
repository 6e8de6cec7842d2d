"""A product of three small real programs, run by the real supervisor and the real servers.

`python -m tests.embedded.small_product [failing|stubborn]`: the preparation fails, or one program
ignores SIGTERM.
"""

import sys
from collections.abc import Mapping

from core.embedded import __main__ as entry
from core.embedded.children import Program
from core.embedded.options import Options
from core.embedded.programs import Product
from core.embedded.wheels import ROOT

WEB = """
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in ("/livez", "/readyz") else 404)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["GANTRY_PORT"])), Answer).serve_forever()
"""
WAIT = "import os, time; print('here', os.getpid(), flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); "
    "time.sleep(600)"
)
PREPARE = "import os; print('preparing', os.environ['DATABASE_URL'][:20], flush=True)"
FAIL = "raise SystemExit('the schema is broken')"


def small_product(_options: Options, urls: Mapping[str, str]) -> Product:
    def program(name: str, source: str, **more) -> Program:
        argv = (sys.executable, "-c", source)
        return Program(name=name, argv=argv, folder=ROOT, environment=urls, stage=1, **more)

    return Product(
        prepare=program("prepare", FAIL if "failing" in sys.argv else PREPARE, ends=True),
        web=program("web", WEB),
        background=(
            program("worker", WAIT),
            program("stubborn", STUBBORN if "stubborn" in sys.argv else WAIT),
        ),
        audience=(),
    )


if __name__ == "__main__":
    sys.exit(entry.main([], product_for=small_product))
