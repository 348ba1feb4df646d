"""A real S3 server on loopback, which can go down, refuse and answer with errors."""

import threading
from contextlib import contextmanager

import pytest


class Faulty:
    """A WSGI application in front of another one.

    It answers each ``every``-th request with an error, and those below the path ``forbid`` with a refusal.
    """

    def __init__(self, app):
        self.app = app
        self.every = 0
        self.asked = self.refused = 0
        self.forbid = None

    def __call__(self, environ, start_response):
        self.asked += 1
        if self.forbid is not None and environ["PATH_INFO"].startswith(self.forbid):
            return _refusal(environ, start_response, "403 Forbidden", "AccessDenied", "Access Denied")
        if self.every and self.asked % self.every == 0:
            self.refused += 1
            status, code = ("503 Slow Down", "SlowDown") if self.refused % 2 else ("500 Error", "InternalError")
            return _refusal(environ, start_response, status, code, "now and then")
        return self.app(environ, start_response)


def _refusal(environ, start_response, status, code, message):
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


class Server:
    """A real S3 server on loopback, which can go down and come back with what it holds."""

    def __init__(self):
        from moto.server import DomainDispatcherApplication, create_backend_app

        self.faults = Faulty(DomainDispatcherApplication(create_backend_app))
        self.port = 0
        self.up()

    def up(self):
        from werkzeug.serving import make_server

        self._server = make_server("127.0.0.1", self.port, self.faults, threaded=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def down(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def environment(self):
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "not-to-be-written-anywhere",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def serving():
    """A server with the bucket ``results``; meanwhile the environment of this process says how to use it."""
    for package in ("s3fs", "moto", "flask"):
        pytest.importorskip(package, reason=f"{package} is not installed: no S3 server or no client for it")
    import boto3
    import s3fs

    # A client of an earlier server, which fsspec keeps, would be used again.
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.MonkeyPatch.context() as patch:
        server = Server()
        for name, value in server.environment.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="results")
        yield server
        server.down()
