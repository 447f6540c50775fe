"""A PostgreSQL and a Redis of one's own, for a machine that has neither.

Both listen on sockets in directories that only their owner may enter; there is no TCP port.
"""

from config.embedded.home import EmbeddedError, Home

__all__ = ["EmbeddedError", "Home"]
