"""The search that every arm of ``vs_plain_tune.py`` makes: its images, its spaces, its study."""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import torch

    from tune_reg import Study

BATCH: Final = 128
VALIDATION: Final = 5_000
TRAINING: Final = 60_000
LEARNING_RATE: Final = (0.01, 0.3)
WEIGHT_DECAY: Final = (1e-6, 1e-1)
#: Ray Tune's PyTorch tutorial has this factor.
REDUCTION_FACTOR: Final = 2

Options = argparse.Namespace
Numbers = dict[str, Any]


def study_of(options: Options, *, asha: bool) -> Study:
    """The search as a study."""
    from search_spaces import loguniform
    from tune_reg import Study

    return Study(
        name="vs_plain_tune",
        dataset="fashion-mnist",
        model="lenet-4",
        regularizers={"weight-decay": {"weight_decay": loguniform(*WEIGHT_DECAY)}},
        fractions=[options.images / (TRAINING - VALIDATION)],
        training={"epochs": options.epochs, "batch_size": BATCH, "validation": VALIDATION / TRAINING},
        search={
            "trials": options.trials,
            "learning_rate": loguniform(*LEARNING_RATE),
            "pruner": "asha" if asha else "none",
            "reduction_factor": REDUCTION_FACTOR,
        },
        confirm={"seeds": 1},
    )


def prepare(work: Path, options: Options) -> None:
    """Put the images where torchvision wants them, and the study's split where the other arms can read it."""
    import torch

    from tune_reg import data
    from tune_reg.training import Run, SerialEngine

    study = study_of(options, asha=False)
    dataset = data.load(study.dataset, options.data)
    folder = data.at_hand(study.dataset, options.data)
    raw = work / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in folder.glob("*-ubyte*"):
        content = path.read_bytes()
        (raw / path.name.removesuffix(".gz")).write_bytes(gzip.decompress(content) if path.suffix == ".gz" else content)
    run = Run(study.dataset, study.model, "weight-decay", training=study.training, fraction=study.fractions[0])
    engine = SerialEngine(run, dataset=dataset)
    assert (len(engine.train_index), len(engine.val_index)) == (options.images, VALIDATION)
    torch.save((engine.train_index, engine.val_index), work / "index.pt")


def split(work: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The indices of the images that train and of those that validate, as ``prepare`` left them."""
    import torch

    train_index, val_index = torch.load(work / "index.pt")
    return train_index, val_index
