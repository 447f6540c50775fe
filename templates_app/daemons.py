"""Programs of other people that are asked over a socket, such as clamd and spamd."""

import socket


def connect(at: str, *, timeout: float) -> socket.socket:
    """Return a connection to a daemon, whose caller closes it.

    :param at: `host:port`, or the path of a socket.
    :param timeout: seconds, for each step.
    :raises OSError: nobody answers there.
    """
    if not at.startswith("/"):
        host, _, port = at.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    try:
        connection.connect(at)
    except OSError:
        connection.close()
        raise
    return connection
