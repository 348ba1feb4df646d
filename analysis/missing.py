"""What an unfinished study lacks."""

from __future__ import annotations

from typing import Any

from analysis import text
from analysis.tables import Snapshot, Source, mapping, snapshot


def missing(source: Source) -> tuple[str, ...]:
    """One sentence for everything that the study asked for and the store does not hold."""
    data = snapshot(source)
    asked = list(mapping(data.study.get("regularizers")))
    found = []
    if not data.provenance:
        found.append("provenance.json: formulas, versions, hardware and command are unknown.")
    for table, rows in (("trials", data.trials), ("final", data.final), ("robustness", data.robustness)):
        if not rows and (table != "robustness" or _attacked(data)):
            found.append(f"The table {table} has no rows.")
    if data.final:
        found += _runs(data, asked)
    if data.trials:
        for name in asked:
            trials = _trials(data, name)
            told = [row for row in data.trials if row["regularizer"] == name]
            fractions = {row["fraction"] for row in told}
            if not told:
                found.append(f"{name}: no trial.")
            elif trials:
                short = [at for at in sorted(fractions) if sum(row["fraction"] == at for row in told) < trials]
                found += [f"{name}: fewer than {trials} trials on {text.where(data, at)}." for at in short]
    return tuple(found)


def number(value: Any) -> int:
    """``value`` as a count; 0 where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _attacked(data: Snapshot) -> bool:
    """Whether a robustness test was asked for; the number of images alone is none."""
    return any(isinstance(value, list) and bool(value) for value in mapping(data.study.get("robustness")).values())


def _trials(data: Snapshot, name: str) -> int:
    """How many trials each search of a method has at least; 0 where that is not known."""
    search = mapping(data.study.get("search"))
    if number(search.get("patience")):
        return 0  # it ends when it finds nothing better
    return number(data.method(name).get("trials", search.get("trials")))


def _runs(data: Snapshot, asked: list[str]) -> list[str]:
    seeds = number(mapping(data.study.get("confirm")).get("seeds"))
    fractions = None if data.study.get("images_per_class") else data.study.get("fractions")
    wanted = sorted({float(at) for at in fractions}) if isinstance(fractions, list) else []
    present = sorted({row["fraction"] for row in data.final})
    attacked = {(row["regularizer"], row["fraction"]) for row in data.robustness}
    found = []
    for name in asked:
        for at in sorted({*wanted, *present}, reverse=True):
            runs = [row for row in data.final if row["regularizer"] == name and row["fraction"] == at]
            where = f"{name} on {text.where(data, at)}"
            if not runs:
                found.append(f"{where}: no confirmed run{_why(data, name, at)}.")
                continue
            if seeds and len({row["seed"] for row in runs}) < seeds:
                found.append(f"{where}: {len({row['seed'] for row in runs})} of {text.count(seeds, 'confirmed run')}.")
            ended = any(row["state"] == "complete" for row in runs)
            if attacked and ended and (name, at) not in attacked:
                found.append(f"{where}: no robustness rows.")
    return found


def _why(data: Snapshot, name: str, fraction: float) -> str:
    states = [row["state"] for row in data.trials if row["regularizer"] == name and row["fraction"] == fraction]
    if states and "complete" not in states:
        ended = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
        return f", because no trial of its search ended with a value ({ended})"
    return ""
