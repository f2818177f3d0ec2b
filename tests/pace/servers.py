"""The servers of this folder's tests, which others use as well."""

from tests.servers import PATIENCE_S, PostgresServer, RedisServer, Server, free_port

__all__ = ["PATIENCE_S", "PostgresServer", "RedisServer", "Server", "free_port"]
