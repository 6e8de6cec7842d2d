"""PostgreSQL, Valkey and ClickHouse as child processes: no Django, no account, no compiler."""

from core.embedded.endpoints import Endpoints
from core.embedded.local_servers import servers
from core.embedded.problem import StartProblem

__all__ = ["Endpoints", "StartProblem", "servers"]
