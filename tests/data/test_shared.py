"""One decoded copy a machine."""

import os
import subprocess
import sys

import pytest
import torch

from tune_reg.data import Dataset
from tune_reg.data.shared import load_shared


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "published"
    place.mkdir()
    (place / "images").write_bytes(b"12")
    return place


def small(value=1):
    images = torch.full((4, 2, 2, 1), value, dtype=torch.uint8)
    labels = torch.tensor([0, 1, 0, 1])
    return Dataset("small", images, labels, images[:2], labels[:2], classes=2)


def counted(value=1):
    calls = []

    def decode():
        calls.append(value)
        return small(value)

    return calls, decode


def test_files_are_decoded_once_and_the_arrays_are_the_same(folder):
    calls, decode = counted()
    first, second = (load_shared("small", lambda: folder, decode) for _ in range(2))
    assert calls == [1]
    assert first.md5 == second.md5 == small().md5
    assert (second.classes, second.test_labels.dtype) == (2, torch.int64)


def test_what_one_process_changes_no_other_sees(folder):
    _, decode = counted()
    first = load_shared("small", lambda: folder, decode)
    first.train_images.fill_(9)
    assert load_shared("small", lambda: folder, decode).train_images.unique().tolist() == [1]


def test_a_changed_file_is_decoded_anew(folder):
    _, decode = counted()
    before = load_shared("small", lambda: folder, decode)
    (folder / "images").write_bytes(b"123")
    calls, other = counted(2)
    assert load_shared("small", lambda: folder, other).train_images.unique().tolist() == [2]
    assert calls == [2]
    assert before.train_images.unique().tolist() == [1], "who has the old copy keeps it"


def test_files_that_come_by_a_download_are_kept_too(folder):
    calls, decode = counted()
    answers = iter([None, folder, folder])
    load_shared("small", lambda: next(answers), decode)
    load_shared("small", lambda: next(answers), decode)
    assert calls == [1]


def test_a_broken_copy_is_made_anew(folder, cache):
    _, decode = counted()
    load_shared("small", lambda: folder, decode)
    (about,) = cache.glob("arrays/small-*/source.json")
    about.write_text("{")
    calls, decode = counted()
    load_shared("small", lambda: folder, decode)
    assert calls == [1]


def test_without_a_folder_to_write_the_arrays_are_the_process_own(folder, cache):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    calls, decode = counted()
    for _ in range(2):
        assert load_shared("small", lambda: folder, decode).md5 == small().md5
    assert calls == [1, 1]


def test_of_processes_that_come_at_once_one_decodes(folder, tmp_path):
    code = """
import sys, pathlib, time, torch
from tune_reg.data import Dataset
from tune_reg.data.shared import load_shared
folder, log = map(pathlib.Path, sys.argv[1:])
def decode():
    with log.open("a") as file:
        file.write("decoded\\n")
    time.sleep(0.5)
    images = torch.ones(4, 2, 2, 1, dtype=torch.uint8)
    labels = torch.tensor([0, 1, 0, 1])
    return Dataset("small", images, labels, images, labels, classes=2)
print(load_shared("small", lambda: folder, decode).md5)
"""
    log = tmp_path / "log"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "shared")}
    command = [sys.executable, "-c", code, str(folder), str(log)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    outputs = {process.communicate(timeout=120)[0] for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert len(outputs) == 1
    assert log.read_text().splitlines() == ["decoded"]
