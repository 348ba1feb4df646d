"""What a node says of itself when it is looked at before work is given to it."""

import time

import pytest

from tune_reg.backends.ray.cluster_nodes import check_of
from tune_reg.backends.ray.node_check import NodeAnswer, clock_note, look
from tune_reg.data import load
from tune_reg.errors import DataError, UnreachableError
from tune_reg.storage.leftovers import remove_leftovers
from tune_reg.storage.paths import to_path, write_whole
from tune_reg.storage.remote_path import RemotePath

DIGITS = load("digits").md5


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch):
    monkeypatch.setattr("tune_reg.backends.ray.node_check._SEEN_AFTER_S", 0.0)


def made(folder, *, md5=DIGITS, dataset="digits", marked=True):
    check = check_of(folder, dataset, None, md5)
    if marked:
        (folder / check.mark_name).write_text(check.mark)
    return check


def test_a_node_that_has_everything_shows_that_it_can_write(tmp_path):
    check = made(tmp_path)
    answer = look(check, "abc")
    assert (answer.fault, answer.is_of_folder, answer.has_written, answer.notes) == (None, False, True, ())
    assert check.answer_path("abc").read_text() == check.mark


def test_a_node_with_other_versions_is_told_by_name(tmp_path):
    check = made(tmp_path)
    other = check.__class__(**{**vars(check), "versions": {**check.versions, "tune-reg": "9.9", "torch": "9.8"}})
    answer = look(other, "abc")
    assert answer.fault.startswith(f"it has tune-reg {check.versions['tune-reg']}, the driver 9.9 and torch ")
    assert not answer.is_of_folder


def test_a_node_that_does_not_share_the_folder_is_told_so(tmp_path):
    answer = look(made(tmp_path, marked=False), "abc")
    assert answer.is_of_folder
    assert answer.fault == (
        f"it does not share {tmp_path}, the results folder, with the driver (a file that was written there is not here)"
    )
    elsewhere = made(tmp_path)
    (tmp_path / elsewhere.mark_name).write_text("of another study")
    assert look(elsewhere, "abc").is_of_folder


def test_a_node_must_read_write_and_list_an_object_store_and_is_told_what_it_needs(tmp_path, monkeypatch):
    folder = to_path(f"local://{tmp_path}")
    check = check_of(folder, "digits", None, DIGITS)
    hint = "; its processes need the store's credentials and endpoint: set them where Ray is started there"

    def refused(*_):
        raise UnreachableError(str(folder), "Unable to locate credentials")

    assert look(check, "abc").fault == f"it cannot read {folder} (a file that was written there is not here){hint}"
    write_whole(folder / check.mark_name, check.mark.encode())
    assert look(check, "abc").fault is None
    for method, act in (("read_bytes", "read"), ("glob", "list"), ("write_bytes", "write")):
        with monkeypatch.context() as patch:
            patch.setattr(RemotePath, method, refused)
            answer = look(check, "abc")
        assert answer.is_of_folder
        assert answer.fault.startswith(f"it cannot {act} {folder}")
        assert answer.fault.endswith(f"Unable to locate credentials){hint}")


def test_a_node_without_the_data_or_with_other_data_is_told_so(tmp_path, monkeypatch):
    other = look(made(tmp_path, md5="0" * 32), "abc")
    assert other.fault == f"its digits has the md5 {DIGITS}, the driver's {'0' * 32}; copy the driver's"
    assert look(made(tmp_path, md5=None, dataset="package.module:function"), "abc").fault is None

    for kind in (DataError, FileNotFoundError):

        def missing(name, root, kind=kind):
            raise kind(f"{name} is not in {root}")

        monkeypatch.setattr("tune_reg.data.load", missing)
        assert look(made(tmp_path), "abc").fault == "it lacks the data set (digits is not in None)"


def test_a_full_disk_is_a_note(tmp_path, monkeypatch):
    monkeypatch.setattr("tune_reg.backends.ray.node_check._LITTLE_ROOM_GB", 1e9)
    answer = look(made(tmp_path), "abc")
    assert answer.fault is None
    (note,) = answer.notes
    assert note.endswith("GB left there")


def test_a_clock_that_differs_is_a_note():
    now = time.time()
    assert clock_note(NodeAnswer(None, clock=now), now - 1, now + 1) is None
    assert clock_note(NodeAnswer(None, clock=now + 300), now - 1, now) == (
        "its clock differs from the driver's by 300 s; set it"
    )
    assert clock_note(NodeAnswer(None, clock=now - 300), now, now + 1) == (
        "its clock differs from the driver's by 300 s; set it"
    )


def test_what_a_killed_process_leaves_of_a_check_is_removed(tmp_path):
    check = made(tmp_path)
    look(check, "abc")
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []
