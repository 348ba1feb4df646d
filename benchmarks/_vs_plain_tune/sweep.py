"""The search that every arm of ``vs_plain_tune.py`` makes: its images, its spaces, its study."""

from __future__ import annotations

import argparse
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import torch

    from tune_reg import Study
    from tune_reg.data import Dataset

BATCH: Final = 128
VALIDATION: Final = 5_000
LEARNING_RATE: Final = (0.01, 0.3)
WEIGHT_DECAY: Final = (1e-6, 1e-1)
#: Ray Tune's PyTorch tutorial has this factor.
REDUCTION_FACTOR: Final = 2

#: The choices of --dataset, and what a study calls them.
DATASETS: Final = {"fashion-mnist": "fashion-mnist", "synthetic": "_vs_plain_tune.sweep:synthetic"}

Options = argparse.Namespace
Numbers = dict[str, Any]


def study_of(options: Options, *, asha: bool) -> Study:
    """The search as a study."""
    from search_spaces import loguniform
    from tune_reg import Study

    count = load(options).info().n_train
    return Study(
        name="vs_plain_tune",
        dataset=DATASETS[options.dataset],
        model="lenet-4",
        regularizers={"weight-decay": {"weight_decay": loguniform(*WEIGHT_DECAY)}},
        fractions=[options.images / (count - VALIDATION)],
        training={"epochs": options.epochs, "batch_size": BATCH, "validation": VALIDATION / count},
        search={
            "trials": options.trials,
            "learning_rate": loguniform(*LEARNING_RATE),
            "pruner": "asha" if asha else "none",
            "reduction_factor": REDUCTION_FACTOR,
        },
        confirm={"seeds": 1},
    )


def load(options: Options) -> Dataset:
    """The images of the search."""
    from tune_reg import data

    return data.load(DATASETS[options.dataset], options.data)


def synthetic() -> Dataset:
    """Images of the shape of Fashion-MNIST, and fewer of them: enough to see that every arm runs."""
    from _shared.images import synthetic_images

    return synthetic_images(VALIDATION + 2_000, 100)


def prepare(work: Path, options: Options) -> None:
    """Put the images where torchvision looks for them, and the study's split where the other arms can read it."""
    import torch

    from tune_reg.training import Run, SerialEngine

    study, dataset = study_of(options, asha=False), load(options)
    raw = work / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, images, labels in (
        ("train", dataset.train_images, dataset.train_labels),
        ("t10k", dataset.test_images, dataset.test_labels),
    ):
        _write_idx(raw / f"{name}-images-idx3-ubyte", images.squeeze(-1))
        _write_idx(raw / f"{name}-labels-idx1-ubyte", labels)
    run = Run(study.dataset, study.model, "weight-decay", training=study.training, fraction=study.fractions[0])
    engine = SerialEngine(run, dataset=dataset)
    assert (len(engine.train_index), len(engine.val_index)) == (options.images, VALIDATION)
    torch.save((engine.train_index, engine.val_index), work / "index.pt")


def _write_idx(path: Path, numbers: torch.Tensor) -> None:
    """Write a tensor of bytes in the format of MNIST: magic number, sizes, bytes; all numbers big-endian."""
    header = [0x0800 + numbers.dim(), *numbers.shape]
    path.write_bytes(struct.pack(f">{len(header)}i", *header) + numbers.numpy().astype("uint8").tobytes())


def split(work: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The indices of the images that train and of those that validate, as ``prepare`` left them."""
    import torch

    train_index, val_index = torch.load(work / "index.pt")
    return train_index, val_index
