"""A provider of OpenID Connect on loopback: whoever asks comes back as who it is told to be."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class OIDCServer:
    """A context manager; `person` are the claims of who comes next (OpenID Connect Core 5.1)."""

    def __init__(self) -> None:
        self.person: dict[str, Any] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answers(self) -> dict[str, Any]:
        ends = ("authorization", "token", "userinfo")
        configuration = {f"{end}_endpoint": f"{self.issuer}/{end}" for end in ends}
        return {
            "/.well-known/openid-configuration": {"issuer": self.issuer, **configuration},
            "/token": {"access_token": "for-a-moment", "token_type": "Bearer"},
            "/userinfo": self.person,
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = json.dumps(script._answers()[self.path]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *args: object) -> None:
                pass

        return Handler
