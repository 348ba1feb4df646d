"""Results brought home: whole or not at all."""

import hashlib

import pytest

from tune_reg.cluster import fetch as fetching
from tune_reg.cluster import ray_folder
from tune_reg.cluster.fetch import fetch
from tune_reg.cluster.folders import FileEntry, LocalFolder
from tune_reg.cluster.ray_folder import folder_on
from tune_reg.errors import ClusterError, StoreError


@pytest.fixture
def remote(tmp_path):
    """A results folder with files of every kind."""
    folder = tmp_path / "remote"
    (folder / "tables" / "trials").mkdir(parents=True)
    (folder / "study.toml").write_text("name")
    (folder / "tables" / "trials" / "a.parquet").write_bytes(bytes(range(256)) * 40)
    (folder / "empty").touch()
    (folder / ".lock").touch()
    (folder / ".x.tmp").write_text("half")
    (folder / "link").symlink_to("/etc/passwd")
    return folder


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_file_comes_as_it_is_and_no_hidden_one(remote, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "CHUNK", 1000)
    entries = fetch(LocalFolder(remote), tmp_path / "deep" / "home")
    home = files(tmp_path / "deep" / "home")
    assert set(home) == {"study.toml", "tables/trials/a.parquet", "empty"} == {entry.path for entry in entries}
    assert all(home[path] == (remote / path).read_bytes() for path in home)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["home"]


def test_nothing_is_overwritten(remote, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "note").write_text("precious")
    with pytest.raises(StoreError, match="is not empty; choose a new folder, nothing is overwritten"):
        fetch(LocalFolder(remote), tmp_path / "home")
    assert files(tmp_path / "home") == {"note": b"precious"}


def test_an_empty_folder_is_as_good_as_a_new_one(remote, tmp_path):
    (tmp_path / "home").mkdir()
    fetch(LocalFolder(remote), tmp_path / "home")
    assert (tmp_path / "home" / "study.toml").read_text() == "name"


class Changing(LocalFolder):
    """Its files change after the first ``changes`` listings."""

    def __init__(self, root, changes, how):
        super().__init__(root)
        self._remote, self._changes, self._how = root, changes, how

    def listing(self):
        entries = super().listing()
        if self._changes > 0:
            self._changes -= 1
            self._how(self._remote / "tables" / "trials" / "a.parquet")
        return entries


def test_a_file_that_was_replaced_meanwhile_is_copied_anew(remote, tmp_path):
    fetch(Changing(remote, 2, lambda path: path.write_bytes(b"other")), tmp_path / "home")
    assert files(tmp_path / "home")["tables/trials/a.parquet"] == b"other"


def test_a_file_that_grows_is_copied_as_long_as_it_was(remote, tmp_path):
    before = (remote / "tables/trials/a.parquet").read_bytes()
    fetch(Changing(remote, 1, lambda path: path.write_bytes(path.read_bytes() + b"more")), tmp_path / "home")
    assert files(tmp_path / "home")["tables/trials/a.parquet"] == before


def test_files_that_always_change_are_given_up_and_leave_nothing(remote, tmp_path):
    count = iter(range(10))
    with pytest.raises(ClusterError, match="the results change while they are copied"):
        fetch(Changing(remote, 9, lambda path: path.write_text(str(next(count)))), tmp_path / "home")
    assert [path.name for path in tmp_path.iterdir()] == ["remote"]


def test_a_damaged_byte_is_noticed(remote, tmp_path):
    class Damaged(LocalFolder):
        def read(self, path, offset, size):
            return super().read(path, offset, size).replace(b"\x07", b"\x08")

    with pytest.raises(ClusterError):
        fetch(Damaged(remote), tmp_path / "home")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("path", ["../outside", "/outside", "a/../../outside"])
def test_a_file_outside_the_folder_is_refused(tmp_path, path):
    class Evil(LocalFolder):
        def listing(self):
            return [FileEntry(path, 1, hashlib.sha256(b"x").hexdigest())]

        def read(self, path, offset, size):
            return b"x"

    with pytest.raises(ClusterError, match="a file outside its folder"):
        fetch(Evil(tmp_path), tmp_path / "home")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_study(tmp_path):
    with pytest.raises(StoreError, match="holds no study on the cluster"):
        fetch(LocalFolder(tmp_path / "nowhere"), tmp_path / "home")


def test_the_address_of_the_dashboard_is_not_rays(tmp_path):
    with (
        pytest.raises(ClusterError, match="give ray://HEAD:10001 in place of http://head:8265"),
        folder_on("http://head:8265", "out"),
    ):
        pass


@pytest.mark.parametrize(("failures", "calls"), [(0, 1), (2, 3), (3, 3)])
def test_a_client_server_that_dies_at_birth_is_asked_for_again(monkeypatch, failures, calls):
    import ray

    called = []

    def init(address, **_):
        called.append(address)
        if len(called) <= failures:
            raise ConnectionError("Initialization failure from server:\nTraceback\npsutil.ZombieProcess: gone")

    monkeypatch.setattr(ray, "init", init)
    if failures < 3:
        ray_folder._connect("ray://h:1")
    else:
        with pytest.raises(ClusterError, match=r"^--address ray://h:1: cannot be reached \(psutil.ZombieProcess: gone"):
            ray_folder._connect("ray://h:1")
    assert len(called) == calls


def test_a_head_that_is_not_there_is_asked_once(monkeypatch):
    import ray

    called = []

    def init(address, **_):
        called.append(address)
        raise ConnectionError("ray client connection timeout")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ClusterError, match="ray client connection timeout"):
        ray_folder._connect("ray://h:1")
    assert len(called) == 1


def test_another_ray_or_python_is_one_line_with_both_versions(monkeypatch):
    import ray

    def init(address, **_):
        raise RuntimeError(
            "Version mismatch: The cluster was started with:\n    Ray: 2.60.0\nThis process: Ray: 2.59.0"
        )

    monkeypatch.setattr(ray, "init", init)
    message = r"^--address ray://h:1: cannot be used \(Version mismatch: .*Ray: 2.60.0 .*Ray: 2.59.0\)$"
    with pytest.raises(ClusterError, match=message):
        ray_folder._connect("ray://h:1")
