"""How many lanes pay on this machine: measured once, and remembered in a file from there on."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch

from tune_reg.data import Dataset
from tune_reg.data.root import cache
from tune_reg.storage.paths import write_whole
from tune_reg.training.lanes.count import Measured, lanes_that_pay
from tune_reg.training.lanes.key import lane_key
from tune_reg.training.lanes.rate import measured
from tune_reg.training.run import Run
from tune_reg.version import __version__

#: Entries that the file keeps, the newest.
_KEPT: Final = 1000


class LaneChoice(NamedTuple):
    """How many lanes pay.

    ``gain``: their rate over that of one run. ``device``: its name. ``remembered``: whether it was measured before.
    """

    lanes: int
    gain: float
    device: str
    remembered: bool = False


def choose_lanes(
    run: Run, dataset: Dataset, device: torch.device, *, most: int, share: float = 1.0, file: Path | None = None
) -> LaneChoice:
    """How many lanes pay for runs like ``run``, up to ``most``, by ``file``, or else by measuring them.

    ``share``: the worker's share of the device. What is measured is written into ``file``, where one is given, but not
    for a model of the user's, whose code may change under the same name. Where the file holds runs that differ in the
    regularizer alone, measuring begins at their number of lanes. A file that cannot be read or written does no harm:
    lanes are measured again.
    """
    file = None if ":" in run.model else file
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    key, alike = _keys(run, dataset, name, most, share)
    entries = remembered(file) if file is not None else {}
    if key in entries:
        return LaneChoice(entries[key].lanes, entries[key].gain, name, remembered=True)
    begin = next((entry.lanes for entry in reversed(entries.values()) if entry.alike == alike), 1)
    rates: dict[int, Measured] = {}

    def measure(lanes: int) -> Measured:
        rates[lanes] = measured(run, lanes, dataset, device, share=share)
        return rates[lanes]

    lanes = lanes_that_pay(measure, most=most, begin=min(begin, _power_of_two(most)))
    choice = LaneChoice(lanes, rates[lanes].rate / rates[1].rate if lanes > 1 else 1.0, name)
    if file is not None:
        _remember(file, key, Remembered(choice.lanes, choice.gain, alike))
    return choice


def remembered_lanes() -> Path:
    """The file of this user and machine that remembers how many lanes pay."""
    return cache() / "lanes.json"


class Remembered(NamedTuple):
    """An entry of the file. ``alike``: what it was measured for, apart from the regularizer."""

    lanes: int
    gain: float
    alike: str


def remembered(file: Path) -> dict[str, Remembered]:
    """The entries of the file by what they were measured for; what cannot be read is left out."""
    try:
        entries = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    whole = entries.items() if isinstance(entries, dict) else ()
    return {key: Remembered(*entry) for key, entry in whole if _is_whole(entry)}


def _remember(file: Path, key: str, entry: Remembered) -> None:
    """Add an entry. Of two processes that write at once one may lose its entry, and measures it again later."""
    entries = {**remembered(file), key: entry}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(dict(list(entries.items())[-_KEPT:]), indent=1).encode())
    except OSError:
        return  # measured anew by the next process


def _is_whole(entry: Any) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == 3
        and type(entry[0]) is int
        and entry[0] == _power_of_two(entry[0])
        and isinstance(entry[1], float)
        and math.isfinite(entry[1])
        and isinstance(entry[2], str)
    )


def _power_of_two(most: int) -> int:
    """The largest power of two up to ``most``; 1 where that is less."""
    return 1 << max(1, most).bit_length() - 1


def _keys(run: Run, dataset: Dataset, device: str, most: int, share: float) -> tuple[str, str]:
    """All that the number of lanes depends on: device, versions, sizes and what lanes have in common.

    And the same without the regularizer and how many lanes are tried.
    """
    versions = f"torch {torch.__version__}, tune-reg {__version__}"
    images = "x".join(map(str, dataset.train_images.shape))
    common = lane_key(run)._asdict()
    where = f"{device}, {versions}, {share:.2g} of it"
    alike = {name: value for name, value in common.items() if name not in ("regularizer", "choices")}
    return (
        f"{where}, up to {_power_of_two(most)} lanes, {images} images, {_listed(common)}",
        f"{where}, {images} images, {_listed(alike)}",
    )


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
