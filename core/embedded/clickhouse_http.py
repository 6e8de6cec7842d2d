"""How does a statement reach ClickHouse before any client library is loaded? Over plain HTTP."""

import http.client

TIMEOUT_S = 10.0


class Refused(Exception):
    """ClickHouse answered with an error; the message is its own."""


def execute(port: int, *, password: str, statement: str) -> str:
    """Run `statement` as the owner `gantry` on 127.0.0.1:`port` and return the answer's text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        headers = {"X-ClickHouse-User": "gantry", "X-ClickHouse-Key": password}
        connection.request("POST", "/", body=statement.encode(), headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise Refused(text.strip())
    return text
