"""Shows a person how far a study is: a live table in a terminal or a notebook, plain lines elsewhere."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tune_reg.execution.progress import StudyProgress
from tune_reg.store import Metric
from tune_reg.study import Task

_TERMINAL_S: Final = 0.5
_LINES_S: Final = 10.0


@contextmanager
def live_progress(progress: Callable[[], StudyProgress], console: Console) -> Iterator[None]:
    """Show the progress of a study, asked for again and again from another thread, until the context ends."""
    stop = threading.Event()
    show = _live if console.is_terminal else _lines
    if console.is_jupyter:
        show = _in_notebook(progress)
    thread = threading.Thread(target=show, args=(progress, console, stop), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def followed_progress(
    console: Console, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[StudyProgress], None]]:
    """Give a function that shows the progress it is given, until the context ends; the last one is always shown."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            yield lambda progress: live.update(table(progress), refresh=True)
        return
    last = displayed = None
    displayed_at = -_LINES_S

    def show(progress: StudyProgress, *, always: bool = False) -> None:
        nonlocal last, displayed, displayed_at
        last = progress
        # Time that passes is no change.
        timeless = replace(progress, elapsed_s=0.0, left_s=None)
        if timeless != displayed and (always or clock() - displayed_at >= _LINES_S):
            console.print(line(progress), soft_wrap=True, highlight=False)
            displayed, displayed_at = timeless, clock()

    try:
        yield show
    finally:
        if last is not None:
            show(last, always=True)


def table(progress: StudyProgress) -> Group:
    """The live display: a row a task, and the confirmed runs below."""
    rows = Table(box=None, pad_edge=False)
    best_of = f"best val. {progress.metric.words}"
    states = ("running", "waiting", "paused", "done", "pruned", "failed")
    for column in ("search", *states, "used", "of", best_of):
        rows.add_column(column, justify="left" if column == "search" else "right")
    for task in progress.tasks:
        best = "" if task.best is None else _value(task.best, progress.metric)
        in_states = (task.running, task.waiting, task.paused, task.done, task.pruned, task.failed)
        counts = (*in_states, round(task.used, 1), task.budget)
        cells = ("?" if count is None else str(count or "·") for count in counts)
        rows.add_row(_search(task.task, progress), *cells, best)
    confirming, waiting = progress.confirming, progress.confirming_waiting
    confirmed = Table.grid(padding=(0, 1))
    confirmed.add_row(
        "confirmed",
        ProgressBar(total=max(progress.confirmations, 1), completed=progress.confirmed, width=24),
        f"{progress.confirmed} of {progress.confirmations}{_at_most(progress)}",
        Text(_under_way(confirming, waiting) if confirming or waiting else "", style="dim"),
    )
    return Group(rows, confirmed, Text(_times(progress), style="dim"))


def line(progress: StudyProgress) -> str:
    """The plain display: one line."""
    used, total = sum(task.used for task in progress.tasks), sum(task.budget for task in progress.tasks)
    in_trainings = any(task.trainings is not None for task in progress.tasks)
    n_paused = sum(task.paused for task in progress.tasks)
    paused = f"{n_paused} paused, " if n_paused else ""
    running = sum(task.running for task in progress.tasks) + progress.confirming
    waits = [task.waiting for task in progress.tasks]
    waiting = None if None in waits else sum(filter(None, waits)) + progress.confirming_waiting
    done, pruned = sum(task.done for task in progress.tasks), sum(task.pruned for task in progress.tasks)
    failed = sum(task.failed for task in progress.tasks)
    best = ", ".join(
        f"{_search(task.task, progress)} {_value(task.best, progress.metric)}"
        for task in progress.tasks
        if task.best is not None
    )
    parts = [
        f"{'trainings' if in_trainings else 'trials'} {round(used, 1):g}/{total} "
        f"({done} done, {paused}{pruned} pruned, {failed} failed)",
        _under_way(running, waiting),
        f"confirmed {progress.confirmed}/{progress.confirmations}{_at_most(progress)}",
        *([f"best {best}"] if best else []),
        _times(progress),
    ]
    return "; ".join(parts)


def duration(seconds: float) -> str:
    """Seconds for a person.

    >>> duration(4), duration(75), duration(7300)
    ('4 s', '1:15 min', '2:01 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} min"
    return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d} h"


def _search(task: Task, progress: StudyProgress) -> str:
    """A search by its regularizer and, where there are several training sets, by its training set."""
    one_training_set = len({other.task.training_set for other in progress.tasks}) == 1
    return task.regularizer if one_training_set else task.name


def _under_way(running: int, waiting: int | None) -> str:
    if waiting is None:
        return f"{running} running or waiting"
    return f"{running} running, {waiting} waiting" if waiting else f"{running} running"


def _value(value: float, metric: Metric) -> str:
    """A value of the metric, to the digits that tell trials apart."""
    return f"{value:.2%}" if metric.is_accuracy else f"{value:.4g}{f' {metric.unit}' if metric.unit else ''}"


def _at_most(progress: StudyProgress) -> str:
    more = progress.confirmations_at_most > progress.confirmations
    return f" (at most {progress.confirmations_at_most})" if more else ""


def _times(progress: StudyProgress) -> str:
    left = "" if progress.left_s is None else f", about {duration(progress.left_s)} left"
    return f"{progress.epochs} epochs, {duration(progress.elapsed_s)}{left}"


def _live(progress: Callable[[], StudyProgress], console: Console, stop: threading.Event) -> None:
    with Live(table(progress()), console=console, auto_refresh=False) as live:
        while not stop.wait(_TERMINAL_S):
            live.update(table(progress()), refresh=True)
        live.update(table(progress()), refresh=True)


class _Shown:
    """The live display as a notebook shows it."""

    def __init__(self, progress: StudyProgress) -> None:
        self._progress = progress

    def __repr__(self) -> str:
        return line(self._progress)

    def _repr_html_(self) -> str:
        page = Console(file=io.StringIO(), record=True, width=120, force_terminal=True, force_jupyter=False)
        page.print(table(self._progress))
        return page.export_html(inline_styles=True, code_format="<pre>{code}</pre>")


def _in_notebook(progress: Callable[[], StudyProgress]) -> Callable[..., None]:
    """Show the progress below the cell that runs now; what is returned goes on with it in another thread."""
    from IPython.display import display

    handle = display(_Shown(progress()), display_id=True)

    def show(progress: Callable[[], StudyProgress], console: Console, stop: threading.Event) -> None:
        del console
        while not stop.wait(_TERMINAL_S):
            handle.update(_Shown(progress()))
        handle.update(_Shown(progress()))

    return show


def _lines(progress: Callable[[], StudyProgress], console: Console, stop: threading.Event) -> None:
    last = ""
    while not stop.wait(_LINES_S):
        text = line(progress())
        if text != last:
            console.print(text, soft_wrap=True, highlight=False)
        last = text
    console.print(line(progress()), soft_wrap=True, highlight=False)
