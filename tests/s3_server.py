"""A store that speaks S3, on loopback, which remembers what it was asked."""

from collections.abc import Callable, Iterable
from typing import Any, Self

import boto3
from moto.server import ThreadedMotoServer

KEY, SECRET, BUCKET = "key", "s/cret", "library"


class S3Server:
    """An empty bucket; a context manager."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.is_down = False
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)

    @property
    def place(self) -> str:
        host, port = self._server.get_host_and_port()
        return f"{host}:{port}"

    @property
    def url(self) -> str:
        """What MEDIA_STORAGE says."""
        return f"s3+http://{KEY}:s%2Fcret@{self.place}/{BUCKET}?region=eu-central-1&prefix=a/b"

    @property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=f"http://{self.place}",
            region_name="eu-central-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    def keys(self) -> list[str]:
        listed = self.client.list_objects_v2(Bucket=BUCKET)
        return [each["Key"] for each in listed.get("Contents", ())]

    def empty(self) -> None:
        for key in self.keys():
            self.client.delete_object(Bucket=BUCKET, Key=key)
        self.requests.clear()

    def asked(self, method: str) -> int:
        """Return how often something was asked for with this method."""
        return self.requests.count(method)

    def __enter__(self) -> Self:
        self._server.start()
        server: Any = self._server._server
        server.app = self._noting(server.app)
        where = {"LocationConstraint": "eu-central-1"}
        self.client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        return self

    def __exit__(self, *args: object) -> None:
        self._server.stop()

    def _noting(self, app: Callable[..., Any]) -> Callable[..., Iterable[bytes]]:
        def noted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            self.requests.append(environ["REQUEST_METHOD"])
            if self.is_down:
                start_response("503 Slow Down", [("Content-Length", "0")])
                return []
            answer: Iterable[bytes] = app(environ, start_response)
            return answer

        return noted
