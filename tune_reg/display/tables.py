"""Tables in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rich.table import Table

from tune_reg.display.console import console

if TYPE_CHECKING:
    from analysis import TextRow
    from tune_reg.study import StudyPlan

_WIDEST: Final = 10_000


def print_plan(plan: StudyPlan) -> None:
    """Print what a study will cost: a row for each method, and the total."""
    study = plan.study
    data = study.dataset or f"{study.examples:,} examples of its own"
    title = f"{study.name}: {study.model or study.trainer} on {data}; epochs a run: {study.training.epochs}"
    if study.protocol == "paper":
        title += '; protocol "paper": strengths are picked on the TEST set'
    console.print(title, style="italic", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("regularizer", overflow="fold")
    for column in ("trials", "epochs at most", "confirmed runs", "epochs", "images at most"):
        table.add_column(column, justify="right")
    epochs = study.training.epochs
    numbers = [
        (row.trials, row.search_epochs, row.least_confirmed_runs, row.confirmed_runs, row.image_passes)
        for row in plan.costs
    ]
    total = tuple(sum(column) for column in zip(*numbers, strict=True))
    for name, (trials, search, least, most, images) in zip(
        (*(row.regularizer for row in plan.costs), "total"), (*numbers, total), strict=True
    ):
        confirmed = _range(least, most), _range(least * epochs, most * epochs)
        style = "bold" if name == "total" else None
        table.add_row(name, f"{trials:,}", f"{search:,}", *confirmed, f"{images:,}", style=style)
    _print(table)


def print_results(rows: Sequence[TextRow], headings: Mapping[str, str]) -> None:
    """Print the result table of a report, as far as a terminal has room for it: a block for each training set.

    ``headings``: of its columns, as ``analysis.result_headings`` gives them.
    """
    columns = ("regularizer", "test_accuracy", "difference", "p")
    for data in dict.fromkeys(row.data for row in rows):
        block = [row for row in rows if row.data == data]
        table = Table(title=data, title_justify="left", box=None, pad_edge=False)
        for column in columns:
            table.add_column(headings[column], overflow="fold")
        for row in block:
            table.add_row(*(getattr(row, column) for column in columns))
        _print(table)
        for row in block:
            notes = f" ({row.notes})" if row.notes else ""
            console.print(f"  {row.regularizer}: {row.params}{notes}", style="dim", soft_wrap=True)
        console.print()


def print_pairs(pairs: Mapping[str, str]) -> None:
    """Print names and what they are, a row each."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, text in pairs.items():
        table.add_row(name, text)
    console.print(table)


def _range(least: int, most: int) -> str:
    return f"{most:,}" if least == most else f"{least:,}-{most:,}"


def _print(table: Table) -> None:
    """Print a table: on lines as long as it needs in a file or a pipe, which have no width; folded in a terminal."""
    width = console.width
    if not console.is_terminal:
        console.width = max(width, console.measure(table, options=console.options.update(width=_WIDEST)).maximum)
    try:
        console.print(table)
    finally:
        console.width = width
