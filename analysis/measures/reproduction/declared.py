"""What a reproduction declares: which methods of which studies stand for which published numbers.

``tune-reg reproduce`` writes it beside the studies, as ``reproduction.json``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final, Literal

from analysis.measures.reproduction.published import Statistic
from tune_reg.errors import StoreError
from tune_reg.storage.paths import StoragePath

FILE: Final = "reproduction.json"

#: What a claim of a paper compares: test accuracy, or the mean cross-entropy on the test images.
ClaimMeasure = Literal["accuracy", "loss"]


@dataclass(frozen=True)
class Column:
    """One column of a published table, and the methods of the study that stand for it."""

    method: str  # in the paper's words
    setting: str
    #: Several where the paper picks one of them: the best setting of a grid.
    methods: tuple[str, ...]


@dataclass(frozen=True)
class PaperClaim:
    """What a paper says in words or draws, without a number: one method is better than another one."""

    text: str
    measure: ClaimMeasure
    #: When: after which share of the epochs.
    at: float
    better: str  # methods of the study
    worse: str


@dataclass(frozen=True)
class Line:
    """One line of a curve: a method of the study at each value of a hyperparameter."""

    name: str
    points: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Curves:
    """Accuracy against a hyperparameter, as a figure of the paper draws it."""

    x: str  # the hyperparameter, with its unit
    log: bool
    statistic: Statistic
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Block:
    """One data set and network of a table."""

    name: str
    dataset: str  # in the paper's words
    model: str
    #: What was trained here in place of the paper's network and data; empty where it is the paper's own.
    in_place: str
    #: The part of the training images that was trained on, where it is not the published one.
    trained_size: str | None
    #: The study whose "validation" images are the test set, as in the paper; relative to the folder of the declaration.
    as_published: str | None
    #: The study that picks on validation images and reads the test set once.
    on_validation: str | None
    columns: tuple[Column, ...]
    #: The column that gains are taken over: its method and setting.
    baseline: tuple[str, str] | None
    sizes: tuple[str, ...]
    claims: tuple[PaperClaim, ...] = ()
    curves: Curves | None = None

    @property
    def measured_in(self) -> str:
        """The study that is measured as published; that on validation images where their statistics are the same."""
        study = self.as_published or self.on_validation
        assert study is not None
        return study


@dataclass(frozen=True)
class Reproduction:
    """One table or figure of a paper: its studies, and why they are not the paper's own."""

    name: str
    title: str
    paper: str  # its key among the published numbers
    table: str
    citation: str
    scale: Literal["full", "small"]
    command: str
    #: Choices where the paper is silent or contradicts itself, a sentence each.
    choices: tuple[str, ...]
    #: What is done otherwise than in the paper, and why, a sentence each.
    deviations: tuple[str, ...]
    blocks: tuple[Block, ...]


def read(folder: StoragePath) -> Reproduction:
    """The declaration in ``folder``; ``StoreError`` in one line where there is none, or it cannot be read."""
    from pydantic import TypeAdapter, ValidationError  # here, since other reports need none

    path = folder / FILE
    try:
        return TypeAdapter(Reproduction).validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{folder} holds no {FILE}: it is no result of tune-reg reproduce") from None
    except (OSError, ValidationError) as error:
        raise StoreError(
            f"{path} cannot be read ({' '.join(str(error).split())[:200]}); run the command again"
        ) from None


def to_json(declared: Reproduction) -> str:
    """The declaration as ``read`` reads it."""
    return json.dumps(asdict(declared), indent=1, ensure_ascii=False) + "\n"
