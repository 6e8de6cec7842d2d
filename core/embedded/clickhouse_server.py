"""The process that hosts ClickHouse: chdb's engine, made to listen on the native TCP port.

Run as `python -m core.embedded.clickhouse_server DATA CONFIGURATION HTTP_PORT` with the application user's
password in GANTRY_CLICKHOUSE_PASSWORD. `SYSTEM START LISTEN` reaches the engine's own server code
only through the private `chdb._chdb.query`, so the wheel's version is pinned. The statement that
starts the listener must go on running for as long as the server should: that is the keep-alive.
"""

import os
import signal
import sys
import threading

from chdb import _chdb

from core.embedded import clickhouse_http

KEEP_ALIVE = (
    "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP; "
    "SELECT sleepEachRow(0.5) FROM system.numbers SETTINGS max_block_size=1, "
    "function_sleep_max_microseconds_per_block=0, max_threads=1, "
    "log_comment='gantry-keep-alive' FORMAT Null"
)
END_KEEP_ALIVE = "KILL QUERY WHERE Settings['log_comment'] = 'gantry-keep-alive'"
FLUSH_TIMEOUT_S = 20.0


def main(data: str, configuration: str, http_port: int) -> None:
    """Serve until SIGTERM or SIGINT; then end the keep-alive, which lets the engine close."""
    # chdb reads config.xml from the current folder when it opens, and must be imported before.
    os.chdir(configuration)
    served = threading.Thread(target=_serve, args=(data,), daemon=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    served.start()
    while served.is_alive() and not stop.wait(0.2):
        pass
    if served.is_alive():
        password = os.environ["GANTRY_CLICKHOUSE_PASSWORD"]
        clickhouse_http.execute(http_port, password=password, statement=END_KEEP_ALIVE)
        served.join(FLUSH_TIMEOUT_S)
    # Interpreter shutdown would tear the engine's threads down a second time.
    os._exit(0 if stop.is_set() else 1)


def _serve(data: str) -> None:
    try:
        # The wheel's stubs leave this private function out.
        _chdb.query(KEEP_ALIVE, "TabSeparated", path=data)  # type: ignore[attr-defined]
    except RuntimeError as error:
        if "QUERY_WAS_CANCELLED" not in str(error):
            print(str(error).splitlines()[0], file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
