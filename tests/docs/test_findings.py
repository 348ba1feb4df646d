"""Every interval on a page of findings follows from the committed tables that the page links."""

import csv
import itertools
import re
from collections import defaultdict

import pytest

from tune_reg.decisions import mean_test

#: "90.17 [90.04, 90.30]", in which a minus may stand before each number and a plus before a difference.
INTERVAL = re.compile(r"([+-]?\d+\.\d+) \[([+-]?\d+\.\d+), ([+-]?\d+\.\d+)\]")
#: The pages whose numbers all come from runs that are committed with them.
PAGES = (
    "adadecay-and-its-mean",
    "noise-and-penalties",
    "recent-methods",
    "residual-smoothing",
    "thesis-attacks",
    "weight-decay-schedules",
)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def number(text):
    """The float that a cell holds, or None where it holds something else."""
    try:
        return float(text)
    except ValueError:
        return None


def decimals(word):
    """How many digits stand after the point of a number."""
    return len(word.partition(".")[2])


def student(values):
    """Mean and 95 % interval (Student t) of each of some lists of values that have a spread."""
    for tested in map(mean_test, values):
        if tested.low is not None:
            yield tested.mean, tested.low, tested.high


def of_runs(rows, others=()):
    """The intervals of each method, and of each two methods paired by seed, in every measure.

    ``others``: the columns beside the method in which the runs of a mean must be alike.
    """
    by_seed = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        alike = tuple(row[name] for name in others)
        for column, cell in row.items():
            if column not in ("seed", *others) and (value := number(cell)) is not None:
                by_seed[column, alike][row["regularizer"]][row["seed"]] = value
    for methods in by_seed.values():
        yield from student(list(values.values()) for values in methods.values())
        pairs = itertools.permutations(methods.values(), 2)
        paired = ([one[seed] - other[seed] for seed in one.keys() & other.keys()] for one, other in pairs)
        yield from student(differences for differences in paired if differences)


def of_intervals(rows):
    """The intervals of a table that has them: NAME_mean, NAME_low and NAME_high, or difference, low and high."""
    for row in rows:
        triples = [(column, column[: -len("_mean")] + "_") for column in row if column.endswith("_mean")]
        triples += [("difference", "")] if {"difference", "low", "high"} <= row.keys() else []
        for column, prefix in triples:
            values = [number(row.get(name, "")) for name in (column, f"{prefix}low", f"{prefix}high")]
            if None not in values:
                yield tuple(values)


def intervals_of(folder):
    """All intervals that the tables of a committed study or reproduction hold or lead to."""
    for path in sorted((folder / "tables").glob("*.csv")):
        rows = rows_of(path)
        if path.stem == "runs":
            yield from of_runs(rows, ["study"] if "study" in rows[0] else [])
        elif path.stem == "attacks":
            yield from of_runs(rows, ("test", "norm", "epsilon"))
        else:
            yield from of_intervals(rows)


@pytest.mark.parametrize("page", PAGES)
def test_every_interval_is_that_of_committed_runs(docs, page):
    text = (docs / "findings" / f"{page}.md").read_text(encoding="utf-8")
    folders = {docs / "extra" / "reproductions" / name for name in re.findall(r"reproductions/([\w-]+)/", text)}
    computed = list(itertools.chain.from_iterable(intervals_of(folder) for folder in sorted(folders)))
    printed = INTERVAL.findall(text)
    assert printed
    rounded = {
        digits: {
            tuple(f"{factor * value:.{digits}f}" for value in values) for values in computed for factor in (1, 100)
        }
        for digits in {decimals(mean) for mean, _, _ in printed}
    }
    untraced = [
        words for words in printed if tuple(word.lstrip("+") for word in words) not in rounded[decimals(words[0])]
    ]
    assert untraced == []
