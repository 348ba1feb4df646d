"""The command that trains a table or figure of a paper again and sets it beside the published numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from tune_reg.cli.options import DataRoot, console

if TYPE_CHECKING:
    from tune_reg.reproduction import Reproducible, Scale
    from tune_reg.study import Study


def reproduce(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A table or figure of a paper, or NAME/BLOCK for a part of it; `list` shows all."
        ),
    ],
    scale: Annotated[
        Literal["full", "small"] | None,
        typer.Option(help="The paper's own settings, or what two cores train in about an hour (the default)."),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="Where the results go; out/NAME-SCALE if not given.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="A running Ray cluster; 'auto' finds one.")
    ] = None,
    data: DataRoot = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what would be trained, at which cost, and why so.")
    ] = False,
) -> None:
    """Train a table or figure of one of the four papers again, and set it beside the published numbers.

    Stopped and started again, it goes on. `tune-reg reproduce list` shows every table and figure with its cost.
    """
    from tune_reg.errors import TuneRegError
    from tune_reg.reproduction import reproducible

    if name == "list":
        options = {"--scale": scale, "--out": out, "--address": address, "--check": check or None}
        for option, value in options.items():
            if value is not None:
                raise TuneRegError(f"{option}: means nothing with `reproduce list`; drop it")
        _print_list(data)
        return
    item = reproducible(name)
    chosen: Scale = scale or "small"
    studies = _studies(item, chosen)
    _print_plan(item, chosen, studies)
    if not check:
        _run(item, chosen, studies, out or f"out/{name.replace('/', '-')}-{chosen}", address, data)


def _studies(item: Reproducible, scale: Scale) -> dict[str, Study]:
    table, _, _ = item.name.partition("/")  # a block is one study, whether it is trained alone or with the others
    return {path: study for block in item.blocks(scale) for path, study in block.studies(table).items()}


def _run(
    item: Reproducible, scale: Scale, studies: dict[str, Study], out: str, address: str | None, data: Path | None
) -> None:
    import analysis
    from tune_reg.backends.ray.launch import run_study
    from tune_reg.cli.study_commands import until_interrupted
    from tune_reg.display.progress import live_progress
    from tune_reg.reproduction import declare

    directory = declare(item, scale, out)
    for number, (path, study) in enumerate(studies.items(), start=1):
        console.print(f"study {number} of {len(studies)}: {path}", soft_wrap=True)
        with until_interrupted():
            run_study(
                study,
                directory / path,
                address=address,
                data_root=data,
                note=lambda line: console.print(f"note: {line}", soft_wrap=True),
                watch=lambda controller: live_progress(controller.progress, console),
            )
    console.print(f"report: {analysis.report_reproduction(directory)}", soft_wrap=True)


def _print_plan(item: Reproducible, scale: Scale, studies: dict[str, Study]) -> None:
    from tune_reg.reproduction import cost

    console.print(f"{item.title} ({item.citation}), scale {scale}", soft_wrap=True)
    table = Table("study", "methods", "runs", "core-hours", box=None, pad_edge=False)
    for path, study in studies.items():
        of_study = cost([study])
        table.add_row(path, str(len(study.regularizers)), f"{of_study.runs:,}", f"{of_study.core_hours:,.2f}")
    console.print(table)
    for sentence in (*item.choices, *item.deviations.get(scale, ())):
        console.print(f"- {sentence}", soft_wrap=True)


def _print_list(data: Path | None) -> None:
    from tune_reg.data import at_hand
    from tune_reg.reproduction import REPRODUCTIONS, SCALES, cost

    table = Table("name", "scale", "runs", "core-hours", "GPU-hours", "data", box=None, pad_edge=False)
    for name, item in REPRODUCTIONS.items():
        for scale in SCALES:
            studies = _studies(item, scale)
            of_item = cost(studies.values())
            names = dict.fromkeys(study.dataset for study in studies.values())
            lacking = [dataset for dataset in names if at_hand(dataset, data) is None]
            gpu = "not measured" if of_item.gpu_hours is None else _hours(of_item.gpu_hours)
            there = f"lacks {', '.join(lacking)}" if lacking else "at hand"
            table.add_row(name, scale, f"{of_item.runs:,}", _hours(of_item.core_hours), gpu, there)
    console.print(table)
    console.print(
        "Core-hours are estimates from rates measured on two shared cores, GPU-hours from one H200 that trains 64 runs "
        "side by side; where no GPU was measured, none is named.",
        soft_wrap=True,
    )


def _hours(hours: float) -> str:
    return f"{hours:,.2g}" if hours < 10 else f"{hours:,.0f}"
