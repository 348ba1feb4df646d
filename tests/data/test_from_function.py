from __future__ import annotations

import sys

import pytest

from tune_reg.data import describe, load
from tune_reg.errors import DataError, StudyError

SOURCE = """
import numpy as np
from tune_reg.data import from_arrays

images, labels = np.zeros((4, 9, 9), np.uint8), np.array([0, 1, 0, 1])

def arrays():
    return images, labels, images[:2], labels[:2]

def made():
    return from_arrays("birds", *arrays())

def three():
    return images, labels, images

def nothing():
    return None

def broken():
    raise RuntimeError("no\\nsuch bird")

def wrong():
    return images * 1j, labels, images, labels

number = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    """A module in the folder that the command is called in."""
    (tmp_path / "own_birds.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("own_birds", None)


def test_four_arrays():
    data = load("own_birds:arrays")
    assert data.name == "own_birds:arrays"
    assert data.image == (1, 9, 9)
    assert describe("own_birds:arrays") == data.info()
    assert load("own_birds:arrays") is data


def test_a_data_set():
    assert load("own_birds:made").name == "birds"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("own_birds:three", DataError, "must return .* got a tuple of 3"),
        ("own_birds:nothing", DataError, "must return .* got a NoneType"),
        ("own_birds:broken", DataError, "the function raised RuntimeError: no such bird"),
        ("own_birds:wrong", DataError, "train_images must be real numbers"),
        ("own_birds:number", StudyError, "must be a function, got a int"),
        ("own_birds:absent", StudyError, "cannot be imported .*absent"),
        ("own_bird_s:arrays", StudyError, "cannot be imported .*No module named 'own_bird_s'"),
        ("own_birds:", StudyError, "must be package.module:function"),
        (":arrays", StudyError, "must be package.module:function"),
    ],
)
def test_faults_are_one_clear_line(name, error, message):
    with pytest.raises(error, match=message) as caught:
        load(name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
