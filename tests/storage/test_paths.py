"""Paths of results, plain or URLs: which are refused, and what becomes of a store that does not answer."""

from pathlib import Path

import fsspec.implementations.local
import pytest

from tune_reg import load
from tune_reg.errors import StoreError, UnreachableError
from tune_reg.storage import remote_path
from tune_reg.storage.paths import read_all, remove_folder, to_path, write_whole


def test_paths_and_file_urls_are_local():
    assert to_path("out/digits") == Path("out/digits")
    assert to_path("file:///out/a%20b") == Path("/out/a b")
    assert to_path(Path("out")) == Path("out")
    assert to_path("name:with-a-colon") == Path("name:with-a-colon")


BAD = {
    "nosuch://bucket/folder": "no filesystem is known as nosuch://; give a path, file://, s3:// or gs://",
    "memory://folder": "memory:// cannot hold results",
    "https://host/folder": "https:// cannot hold results",
    "s3://key:secret@bucket/folder": "credentials must not stand in a URL; put them into the environment",
    "file://out/digits": "must be file:/// and an absolute path",
}


@pytest.mark.parametrize("text", BAD)
def test_what_cannot_hold_results_is_refused_in_one_line(text):
    with pytest.raises(StoreError) as caught:
        to_path(text)
    assert BAD[text] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_url_that_went_through_path_is_refused():
    with pytest.raises(StoreError, match="a URL must be given as text"):
        load(Path("s3://bucket/folder"))


def test_a_missing_package_is_named(monkeypatch):
    def absent(scheme):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.get_filesystem_class", absent)
    with pytest.raises(StoreError, match=r"s3:// needs a package that is not installed: pip install 'tune-reg\[s3\]'"):
        to_path("s3://bucket/folder")


def test_it_does_what_a_path_does(store):
    folder = store / "a"
    assert not folder.exists()
    assert folder.glob("*") == []
    file = folder / "x-1.txt"
    file.write_bytes(b"one")
    assert folder.exists()
    assert file.is_file()
    assert not folder.is_file()
    assert (file.name, file.stem, file.parent, file.with_name("y")) == ("x-1.txt", "x-1", folder, folder / "y")
    write_whole(folder / "y.bin", b"two")
    assert folder.glob("x-*.txt") == [file]
    assert read_all([file, folder / "y.bin"]) == [b"one", b"two"]
    assert file.read_bytes(1, 2) == b"n"
    assert store.files() == [file, folder / "y.bin"]
    assert to_path(str(file)) == file
    file.unlink()
    file.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError) as caught:
        file.read_bytes()
    assert caught.value.filename == str(file)
    remove_folder(folder)
    assert store.files() == []


def test_of_two_who_create_one_succeeds(store):
    (store / "a").create(b"one")
    (store / "a").create(b"one")  # the answer was lost, and the call is made again
    with pytest.raises(FileExistsError):
        (store / "a").create(b"two")
    assert (store / "a").read_bytes() == b"one"


@pytest.fixture
def flaky(monkeypatch):
    """Calls that fail before one succeeds; what they raise; how often they were made."""
    state = {"left": 0, "error": TimeoutError("the other side is slow"), "made": 0}
    real = fsspec.implementations.local.LocalFileSystem.cat_file

    def cat_file(self, path, **keywords):
        state["made"] += 1
        if state["left"]:
            state["left"] -= 1
            raise state["error"]
        return real(self, path, **keywords)

    monkeypatch.setattr(fsspec.implementations.local.LocalFileSystem, "cat_file", cat_file)
    monkeypatch.setattr(remote_path.time, "sleep", lambda _: None)
    return state


def test_a_store_that_answered_is_asked_again(store, flaky):
    (store / "a").write_bytes(b"one")
    flaky["left"] = 5
    assert (store / "a").read_bytes() == b"one"
    assert flaky["made"] == 6


def test_one_that_never_answered_is_a_mistake_to_tell_at_once(store, flaky):
    flaky["left"] = 1
    with pytest.raises(UnreachableError, match="the other side is slow"):
        (store / "a").read_bytes()
    assert flaky["made"] == 1


def test_a_process_told_that_it_answers_waits(store, flaky):
    (store / "a").write_bytes(b"one")
    remote_path._answered.clear()
    flaky["left"] = 2
    assert to_path(str(store / "a"), has_answered=True).read_bytes() == b"one"


def test_what_is_forbidden_is_not_asked_again(store, flaky):
    (store / "a").write_bytes(b"one")
    flaky.update(left=1, error=PermissionError("Access Denied"))
    with pytest.raises(UnreachableError, match="Access Denied") as caught:
        (store / "a").read_bytes()
    assert isinstance(caught.value, OSError)
    assert flaky["made"] == 1


def test_a_store_that_stays_down_is_given_up(store, flaky, monkeypatch):
    (store / "a").write_bytes(b"one")
    monkeypatch.setattr(remote_path, "PATIENCE_S", 0.1)
    flaky["left"] = 10**9
    with pytest.raises(UnreachableError) as caught:
        (store / "a").read_bytes()
    assert str(caught.value).startswith(f"{store / 'a'}: cannot be reached or used (the other side is slow)")
