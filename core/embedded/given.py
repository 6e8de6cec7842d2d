"""Can Gantry use the address it shall serve and the servers it was given?"""

import errno
import socket
from urllib.parse import SplitResult, urlsplit

from core.embedded.endpoints import VARIABLES
from core.embedded.options import Options
from core.embedded.problem import StartProblem

TIMEOUT_S = 5.0
DEFAULT_PORTS = {
    "database_url": {"postgres": 5432, "postgresql": 5432},
    "redis_url": {"redis": 6379, "rediss": 6379, "unix": 0},
    "clickhouse_url": {"clickhouse": 9000, "clickhouses": 9440},
    "clickhouse_reader_url": {"clickhouse": 9000, "clickhouses": 9440},
}


def check(options: Options) -> None:
    """Raise StartProblem when the port is taken or a given server does not answer."""
    _check_port(options)
    for field, url in options.given.items():
        _check_server(field, url)


def _check_port(options: Options) -> None:
    try:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((options.host, options.port))
    except OSError as error:
        raise StartProblem(_port_words(options, error)) from None


def _port_words(options: Options, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {options.port} on {options.host} is in use: stop the program that uses it, "
            f"or set GANTRY_PORT to another port."
        )
    if error.errno == errno.EACCES:
        return f"Port {options.port} needs more rights: set GANTRY_PORT to one above 1023."
    return f"GANTRY_HOST {options.host!r} is not an address of this machine ({error.strerror})."


def _check_server(field: str, url: str) -> None:
    variable, schemes = VARIABLES[field], DEFAULT_PORTS[field]
    parts = urlsplit(url)
    if parts.scheme not in schemes:
        raise StartProblem(f"{variable} must start with {' or '.join(f'{s}://' for s in schemes)}.")
    if parts.scheme == "unix":
        return
    host, port = _host_and_port(variable, parts, schemes[parts.scheme])
    try:
        socket.create_connection((host, port), timeout=TIMEOUT_S).close()
    except OSError as error:
        raise StartProblem(
            f"{variable}: nothing answers at {host}:{port} ({error.strerror or error})."
        ) from None


def _host_and_port(variable: str, parts: SplitResult, default: int) -> tuple[str, int]:
    try:
        port = parts.port
    except ValueError:
        raise StartProblem(f"{variable} has no legal port number.") from None
    if not parts.hostname:
        raise StartProblem(f"{variable} names no host.")
    return parts.hostname, port or default
