from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from tune_reg.data import mnist
from tune_reg.data.mnist import load_mnist
from tune_reg.errors import DataError


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def check(data, contents):
    images = np.frombuffer(contents[mnist.TRAIN_IMAGES], np.uint8, offset=16).reshape(30, 28, 28, 1)
    assert data.train_images.equal(torch.from_numpy(images.copy()))
    assert data.train_labels.tolist() == [i % 10 for i in range(30)]
    assert data.info().image == (1, 28, 28)
    assert data.info().n_test == 20
    assert data.train_images.dtype == torch.uint8
    assert data.train_labels.dtype == torch.int64


@pytest.mark.parametrize("where", ["FashionMNIST/raw", "fashion-mnist", "."])
@pytest.mark.parametrize("how", ["packed", "plain"])
def test_every_layout(where, how, family, contents, tmp_path, cache, request):
    request.getfixturevalue(how)(tmp_path / "root" / where, contents)
    before = tree(tmp_path / "root")
    check(load_mnist(family, tmp_path / "root"), contents)
    assert tree(tmp_path / "root") == before, "a folder of the user's is left as it was"
    unpacked = cache / "FashionMNIST/raw"
    assert (tree(unpacked) == sorted(contents)) if how == "packed" else not cache.exists()


def test_debian_package(family, contents, tmp_path, packed):
    packed(tmp_path / "debian", contents)
    check(load_mnist(replace(family, package=tmp_path / "debian"), tmp_path / "empty"), contents)


def test_the_cache_itself_is_the_default_root(family, contents, cache, packed):
    packed(cache / "FashionMNIST/raw", contents)
    check(load_mnist(family, None), contents)
    check(load_mnist(family, None), contents)  # now from the unpacked ones


def test_an_unpacked_copy_that_was_damaged_is_made_again(family, contents, cache, tmp_path, packed):
    packed(tmp_path, contents)
    load_mnist(family, tmp_path)
    (cache / "FashionMNIST/raw" / mnist.TRAIN_IMAGES).write_bytes(b"half")
    check(load_mnist(family, tmp_path), contents)


def test_many_unpack_at_once(family, contents, cache, tmp_path, packed):
    packed(tmp_path, contents)
    with ThreadPoolExecutor(8) as pool:
        for data in pool.map(lambda _: load_mnist(family, tmp_path), range(8)):
            check(data, contents)
    assert tree(cache / "FashionMNIST/raw") == sorted(contents), "no temporary file stays"


def test_a_bare_folder_of_the_other_data_set_is_passed_over(family, contents, tmp_path, packed, monkeypatch):
    packed(tmp_path, contents)
    assert mnist.find(family, tmp_path)
    assert mnist.find(mnist.MNIST, tmp_path) is None


@pytest.mark.parametrize("how", ["packed", "plain"])
def test_a_wrong_file_is_named_with_both_md5(how, family, contents, cache, tmp_path, request):
    wrong = contents | {mnist.TRAIN_LABELS: contents[mnist.TRAIN_LABELS][:-1] + b"\x01"}
    folder = tmp_path / "FashionMNIST/raw"
    request.getfixturevalue(how)(folder, wrong)
    with pytest.raises(DataError) as caught:
        load_mnist(family, tmp_path)
    message = str(caught.value)
    digest = mnist.hashlib.md5(wrong[mnist.TRAIN_LABELS]).hexdigest()
    assert str(folder / mnist.TRAIN_LABELS) in message
    assert digest in message
    assert family.md5[mnist.TRAIN_LABELS] in message
    assert "\n" not in message
    if how == "packed":
        assert mnist.TRAIN_LABELS not in tree(cache / "FashionMNIST/raw"), "nothing wrong is kept"


@pytest.mark.parametrize(
    "content",
    [b"no gzip at all", gzip.compress(b"x" * 9999, mtime=0)[:30], b""],
    ids=["no gzip at all", "cut short", "empty"],
)
def test_a_broken_gz_is_named(content, family, contents, tmp_path, packed):
    packed(tmp_path / "FashionMNIST/raw", contents)
    path = tmp_path / "FashionMNIST/raw" / f"{mnist.TEST_IMAGES}.gz"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_mnist(family, tmp_path)
    assert str(path) in str(caught.value)
    assert family.md5[mnist.TEST_IMAGES] in str(caught.value)


def test_a_cache_that_cannot_be_written(family, contents, cache, tmp_path, packed):
    packed(tmp_path / "root", contents)
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("a file where the folder should be")
    with pytest.raises(DataError, match="cannot be unpacked to"):
        load_mnist(family, tmp_path / "root")


def test_nothing_anywhere_names_both_ways(family, tmp_path):
    with pytest.raises(DataError) as caught:
        load_mnist(family, tmp_path / "empty")
    message = str(caught.value)
    for part in ("no network in tests", "apt-get install dataset-fashion-mnist", "--data", "TUNE_REG_DATA"):
        assert part in message
    assert "FashionMNIST/raw/train-images-idx3-ubyte" in message
    assert "\n" not in message


def test_download_lands_whole(family, contents, tmp_path, packed, plain, monkeypatch):
    def fetch(_, stage):
        plain(stage / "FashionMNIST/raw", contents)
        (stage / "archive").write_text("not wanted")

    monkeypatch.setattr(mnist, "_torchvision", fetch)
    check(load_mnist(family, tmp_path / "root"), contents)
    assert tree(tmp_path / "root/FashionMNIST/raw") == sorted(contents)
    assert tree(tmp_path / "root")[0] == "FashionMNIST"
    assert len(tree(tmp_path / "root")) == 6


def test_the_published_sums_are_of_the_whole_files():
    for family in (mnist.MNIST, mnist.FASHION_MNIST):
        assert len(set(family.md5.values())) == 4
        assert all(len(value) == 32 for value in family.md5.values())


@pytest.mark.skipif(not mnist.FASHION_MNIST.package.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_debian_files_are_the_published_ones():
    data = load_mnist(mnist.FASHION_MNIST, None)
    assert data.info().n_train == 60_000
    assert data.md5 == "2127f8ad3463ef2baeb357dad18649ec"
    assert data.train_labels.bincount().tolist() == [6000] * 10
    assert data.mean.item() == pytest.approx(0.28604, abs=1e-5)  # torchvision users' 0.2860, 0.3530
    assert data.std.item() == pytest.approx(0.35302, abs=1e-5)
