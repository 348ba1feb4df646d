"""The rows of ``lanes.py`` beside each other, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from _lanes.contenders import PLAIN

_COLUMNS: Final = (
    ("trial-epochs/s", 15),
    ("x eager", 9),
    ("cost/plain", 12),
    ("MiB a trial", 13),
    ("us a step", 12),
    ("floor", 10),
    ("x floor", 9),
)


def beside_eager(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> float | None:
    """The rate of a row over that of one eager run of its model and regularizer in float32, where that is there."""
    return _beside(row, rows, way="eager", precision="float32")


def cost_beside_plain(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> float | None:
    """How many times as long as plain SGD in float32 it takes, trained in the same way."""
    share = _beside(row, rows, regularizer=PLAIN, precision="float32")
    return None if share is None else 1 / share


def table(numbers: Mapping[str, Any]) -> str:
    """All rows of all models, then the search, with a head that says where they were measured."""
    host, rows = numbers["host"], numbers["rows"]
    lines = [
        f"{host['device']}, torch {host['torch']}, commit {host['commit']}, batch {numbers['batch']}, one thread each",
        f"a copy moves {host['bandwidth'] / 1e9:.1f} GB/s, float32 products reach {host['peak'] / 1e12:.3f} TFLOP/s",
    ]
    for model in dict.fromkeys(row["model"] for row in rows):
        of_model = [row for row in rows if row["model"] == model]
        lines += ["", f"{model}, {of_model[0]['images']} images"]
        lines.append(f"  {'':49}" + "".join(f"{name:>{width}}" for name, width in _COLUMNS))
        for row in of_model:
            label = f"  {row['regularizer']:17} {row['precision']:9} {row['way']:21}"
            lines.append(label + (row["failed"] if "failed" in row else _cells(row, rows)))
    if "sweep" in numbers:
        lines += ["", "a sweep of nn-2 trials of up to 9 epochs, eta 3"]
        for name, cost in numbers["sweep"].items():
            times = cost["rate"] / numbers["sweep"]["one at a time"]["rate"]
            ended = "" if cost["ended"] else ", left unfinished"
            lines.append(
                f"  {name:16}{cost['seconds']:9.2f} s{cost['epochs']:6} epochs{times:9.2f} times the rate{ended}"
            )
    return "\n".join(lines)


def _beside(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], **other: str) -> float | None:
    names = ("model", "regularizer", "precision", "way")
    wanted = {**{name: row[name] for name in names}, **other}
    rates = [one["rate"] for one in rows if "rate" in one and all(one[name] == wanted[name] for name in names)]
    return row["rate"] / rates[0] if rates else None


def _cells(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    step, least = row.get("step"), row.get("floor")
    values: list[tuple[float | None, str]] = [
        (row["rate"], ".2f"),
        (beside_eager(row, rows), ".2f"),
        (cost_beside_plain(row, rows), ".2f"),
        (row.get("mib"), ".1f"),
        (step and 1e6 * step, ".1f"),
        (least and 1e6 * least, ".2f"),
        (step / least if step and least else None, ".1f"),
    ]
    cells = ("-" if value is None else format(value, form) for value, form in values)
    return "".join(f"{cell:>{width}}" for cell, (_, width) in zip(cells, _COLUMNS, strict=True))
