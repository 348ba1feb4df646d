"""Confirmation in rounds: on how many seeds each method is trained, by what the looks at it have said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tune_reg.decisions import seeds_wanted
from tune_reg.store import DecisionRow
from tune_reg.study import Confirmation, StudyPlan


class NewestLook(NamedTuple):
    """What the newest look at a method said: its number, from 1, the pairs that it saw, and its decision."""

    look: int
    n: int
    decision: str


def newest_looks(rows: Iterable[DecisionRow]) -> dict[str, NewestLook]:
    """The newest look at each method, by the rows of the table ``decisions``."""
    newest: dict[str, NewestLook] = {}
    for row in sorted(rows, key=lambda row: row["look"]):
        newest[row["regularizer"]] = NewestLook(row["look"], row["n"], row["decision"])
    return newest


def seeds_asked(plan: StudyPlan, newest: Mapping[str, NewestLook]) -> dict[str, int]:
    """On how many seeds each method is trained, by the newest looks; the baseline on as many as any other one needs."""
    return _with_baseline(plan, {name: _asked(plan, newest.get(name)) for name in plan.compared})


def seeds_at_most(plan: StudyPlan, newest: Mapping[str, NewestLook]) -> dict[str, int]:
    """On how many seeds each method is trained if no later look decides anything."""
    looks = plan.study.confirm.looks
    seeds = {}
    for name in plan.compared:
        look, asked = newest.get(name), _asked(plan, newest.get(name))
        seeds[name] = asked if look is not None and asked == looks[look.look - 1] else looks[-1]
    return _with_baseline(plan, seeds)


def of_first_seeds(plan: StudyPlan, seeds: Mapping[str, int]) -> Iterator[Confirmation]:
    """The confirmations of the plan that are of so many first seeds of their method."""
    return (entry for entry in plan.confirmations if plan.seed_number(entry) < seeds[entry.task.regularizer])


def _asked(plan: StudyPlan, newest: NewestLook | None) -> int:
    looks = plan.study.confirm.looks
    return looks[0] if newest is None else seeds_wanted(newest.look, newest.n, newest.decision, looks)


def _with_baseline(plan: StudyPlan, seeds: Mapping[str, int]) -> dict[str, int]:
    return {plan.study.baseline: max(seeds.values(), default=plan.study.confirm.looks[0]), **seeds}
