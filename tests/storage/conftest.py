from collections.abc import Iterator

import directory_store
import pytest
from fsspec.implementations.local import LocalFileSystem
from s3_server import Server, serving

from tune_reg.storage import remote_path
from tune_reg.storage.paths import to_path


@pytest.fixture(scope="module")
def s3() -> Iterator[Server]:
    """An S3 server with the bucket ``results``."""
    with serving() as server:
        yield server


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An object store of this test's own, without a server."""
    monkeypatch.setattr(LocalFileSystem, "pipe_file", directory_store.pipe_file)
    return to_path(f"local://{tmp_path}/store")


@pytest.fixture(autouse=True)
def nothing_answered_yet(monkeypatch):
    monkeypatch.setattr(remote_path, "_answered", set())
