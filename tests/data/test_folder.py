"""Images in folders, one a class."""

import numpy as np
import pytest
from PIL import Image

from tune_reg.data import at_hand, describe, load
from tune_reg.data.catalog import _load
from tune_reg.data.folder import load_folder
from tune_reg.errors import DataError, StudyError

RNG = np.random.default_rng(0)


def write(folder, count=5, size=(12, 10), mode="RGB", ending="png", shade=0):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        pixels = RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        pixels[0, 0] = shade
        Image.fromarray(pixels).convert(mode).save(folder / f"{i}.{ending}")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield
    _load.cache_clear()


@pytest.fixture
def pets(tmp_path):
    return tmp_path / "pets"


def test_train_and_test_folders(tmp_path):
    for part, count in (("train", 6), ("test", 3)):
        for shade, name in enumerate(("cat", "dog")):
            write(tmp_path / "pets" / part / name, count, shade=shade)
    name = f"folder:{tmp_path / 'pets'}"
    data = load(name)
    assert (data.image, data.classes, data.train_labels.bincount().tolist()) == ((3, 10, 12), 2, [6, 6])
    assert data.test_labels.tolist() == [0, 0, 0, 1, 1, 1]
    # Each image is under the label of its folder, and decoded as it was written.
    assert (data.train_images[:, 0, 0, 0] == data.train_labels).all()
    assert describe(name) == data.info()
    assert at_hand(name) == tmp_path / "pets"
    assert data.notes == (
        f"{name}: 18 colour images of 12 x 10, 0 MB in memory; classes in order: cat, dog",
        f"{name}: 12 images of train, 6 of test",
    )


def test_without_them_a_fifth_of_each_class_is_the_test_set(pets):
    for name in ("cat", "dog"):
        write(pets / name, 10)
    data = load(f"folder:{pets}")
    assert data.test_labels.bincount().tolist() == [2, 2]
    assert "4 of its 20 examples" in data.notes[1]


def test_images_of_several_sizes_are_made_squares_and_it_is_told(pets):
    write(pets / "cat", 5, size=(100, 80), ending="jpg")
    write(pets / "dog", 5, size=(70, 90), ending="jpg")
    assert load(f"folder:{pets}").image == (3, 64, 64)
    data = load(f"folder:{pets}@16")
    assert data.image == (3, 16, 16)
    assert "resized from 70 x 80 to 100 x 90" in data.notes[0]


def test_grey_images_have_one_channel(pets):
    for name in ("cat", "dog"):
        write(pets / name, 5, mode="L")
    assert load(f"folder:{pets}").image == (1, 10, 12)


def test_a_changed_file_is_read_again(pets):
    for name in ("cat", "dog"):
        write(pets / name)
    before = load_folder(f"folder:{pets}")
    assert load_folder(f"folder:{pets}").notes == before.notes
    write(pets / "cat", 6)
    assert len(load_folder(f"folder:{pets}").train_labels) == len(before.train_labels) + 1


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda path: None, StudyError, "is no folder; give the one that holds a folder for each class"),
        (lambda path: path.mkdir(), DataError, "must hold a folder of images for each class"),
        (lambda path: write(path / "cat"), DataError, "must hold at least 2 folders, one a class, but has cat"),
        (lambda path: write(path / "train" / "cat"), DataError, "has a folder train but none called test"),
        (
            lambda path: [write(path / "cat"), write(path / "dog"), (path / "dog" / "0.png").write_bytes(b"no")],
            DataError,
            "0.png cannot be read as an image",
        ),
        (
            lambda path: [write(path / "train" / n) for n in ("a", "b")] + [write(path / "test" / n) for n in "bc"],
            DataError,
            "must have the same classes, but have a, b and b, c",
        ),
    ],
)
def test_faults_are_one_line(tmp_path, make, error, message):
    make(tmp_path / "pets")
    with pytest.raises(error, match=message) as caught:
        load(f"folder:{tmp_path / 'pets'}")
    assert "\n" not in str(caught.value)
