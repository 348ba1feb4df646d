"""What an unfinished study lacks, what its tables have lost, and which of their files are not counted."""

from __future__ import annotations

from typing import Any, Final

from analysis.formatting import count
from analysis.measures.lost import is_of_0_1, lost, lost_methods
from analysis.measures.outcomes import state_counts
from analysis.measures.primary import in_rounds
from analysis.report.given_up import given_up
from analysis.snapshot import Snapshot, Source, mapping, snapshot
from analysis.wording import where
from tune_reg.decisions import LOOKS, seeds_wanted

#: So many lost parts are named.
_NAMED: Final = 5


def missing(source: Source) -> tuple[str, ...]:
    """One sentence for everything that the study asked for and the store does not hold, and for every copy in it."""
    data = snapshot(source)
    names = list(mapping(data.study.get("regularizers")))
    sentences = []
    if not data.provenance:
        sentences.append("provenance.json: formulas, versions, hardware and command are unknown.")
    for table, rows in (("trials", data.trials), ("final", data.final), ("robustness", data.robustness)):
        if not rows and (table != "robustness" or _robustness_asked_for(data)):
            sentences.append(f"The table {table} has no rows.")
    if data.final:
        sentences += _confirmed_runs(data, names)
    elif not is_of_0_1(data):
        sentences += [f"{name}: {why}." for name, why in lost_methods(data).items()]
    if data.trials:
        sentences += [sentence for name in names for sentence in _trials(data, name)]
    failed = given_up(data)
    return (
        *sentences,
        *_without_look(data, names),
        *([failed] if failed else []),
        *lost_sentences(data),
        *data.left_out,
    )


def lost_sentences(source: Source) -> tuple[str, ...]:
    """One sentence for every table that has lost parts, and one for a journal that cannot be read."""
    data = snapshot(source)
    keys: dict[str, list[str]] = {}
    for part in data.lost:
        keys.setdefault(part.table, []).append(part.key)
    sentences = [
        f"tables/{table} has lost {_some(lost)}: `run` trains what is lost anew." for table, lost in keys.items()
    ]
    if data.journal_problem:
        sentences.append(f"{data.journal_problem}: `run` makes it anew from the tables.")
    return tuple(sentences)


def _some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _robustness_asked_for(data: Snapshot) -> bool:
    """Whether the study asks for a robustness test; the number of images alone is none."""
    return any(isinstance(value, list) and bool(value) for value in mapping(data.study.get("robustness")).values())


def _trials(data: Snapshot, name: str) -> list[str]:
    trials = data.trials_of(name)
    if not trials:
        return [f"{name}: no trial."]
    least = _least_trials(data, name)
    fractions = sorted({row["fraction"] for row in trials})
    short = [fraction for fraction in fractions if sum(row["fraction"] == fraction for row in trials) < least]
    return [f"{name}: fewer than {least} trials on {where(data, fraction)}." for fraction in short]


def _least_trials(data: Snapshot, name: str) -> int:
    """How many trials each search of a method has at least; 0 where the study does not say."""
    search = mapping(data.study.get("search"))
    if _quantity(search.get("patience")) or search.get("budget") == "seconds":
        return 0  # the search ends when it finds nothing better, or when its seconds are used
    if search.get("sampler") == "knowledge-gradient" and _quantity(search.get("seeds")) > 1:
        return 0  # a trial that is trained again takes the epochs of others
    return _quantity(data.method(name).get("trials", search.get("trials")))


def _quantity(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _confirmed_runs(data: Snapshot, names: list[str]) -> list[str]:
    asked = _seeds_asked(data, names)
    fractions = None if data.study.get("images_per_class") else data.study.get("fractions")
    wanted = {float(fraction) for fraction in fractions} if isinstance(fractions, list) else set()
    confirmed = {row["fraction"] for row in data.final}
    attacked = {(row["regularizer"], row["fraction"]) for row in data.robustness}
    sentences = []
    for name in names:
        for fraction in sorted(wanted | confirmed, reverse=True):
            runs = [row for row in data.final if row["regularizer"] == name and row["fraction"] == fraction]
            method = f"{name} on {where(data, fraction)}"
            if not runs:
                sentences.append(f"{method}: no confirmed run{_why(data, name, fraction)}.")
                continue
            stored = len({row["seed"] for row in runs})
            if stored < asked[name]:
                sentences.append(f"{method}: {stored} of {count(asked[name], 'confirmed run')}.")
            if attacked and state_counts(runs)["complete"] and (name, fraction) not in attacked:
                sentences.append(f"{method}: no robustness rows.")
    return sentences


def _seeds_asked(data: Snapshot, names: list[str]) -> dict[str, int]:
    """On how many seeds each method is confirmed: a fixed number, or in rounds as many as its newest look asks for."""
    if not in_rounds(data):
        return dict.fromkeys(names, _quantity(mapping(data.study.get("confirm")).get("seeds")))
    newest = {row["regularizer"]: row for row in data.decisions}  # they are in the order of the looks
    asked = dict.fromkeys(names, LOOKS[0])
    asked |= {name: seeds_wanted(row["look"], row["n"], row["decision"]) for name, row in newest.items()}
    return {**asked, data.baseline: max(asked.values())} if data.baseline is not None else asked


def _without_look(data: Snapshot, names: list[str]) -> list[str]:
    """One sentence for every method that has the runs of a look in rounds, and none in the table ``decisions``."""
    if not in_rounds(data) or data.baseline is None:
        return []
    largest = max((row["fraction"] for row in data.final), default=None)
    seeds = {
        name: {row["seed"] for row in data.final if row["regularizer"] == name and row["fraction"] == largest}
        for name in [*names, data.baseline]
    }
    looked_at = {data.baseline, *(row["regularizer"] for row in data.decisions)}
    return [
        f"{name}: the table decisions has no row of it; `run` makes it from the confirmed runs."
        for name in names
        if name not in looked_at and len(seeds[name] & seeds[data.baseline]) >= LOOKS[0]
    ]


def _why(data: Snapshot, name: str, fraction: float) -> str:
    why = lost(data, name, fraction)
    return "" if why is None else f", because {why}"
