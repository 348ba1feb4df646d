"""The commands that run, check and report a study."""

from __future__ import annotations

import atexit
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tune_reg.cli.options import DataRoot, Plugins, StudyFile, console, load_plugins
from tune_reg.errors import NothingSucceededError

if TYPE_CHECKING:
    from tune_reg.study import Study


SkipPreflight = Annotated[
    bool, typer.Option("--skip-preflight", help="Do not try the parts of the study before it starts.")
]


def run(
    study: StudyFile,
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Where the results go: a path, s3://... or gs://...")
    ],
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="A running Ray cluster; 'auto' finds one.")
    ] = None,
    data: DataRoot = None,
    plugin: Plugins = [],  # noqa: B006 - typer reads the default and never changes it
    prior: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Results of another study, whose best trials are tried first."),
    ] = None,
    only: Annotated[
        Literal["robustness"] | None,
        typer.Option(metavar="robustness", help="Only the study's robustness tests, on the runs that are confirmed."),
    ] = None,
    skip_preflight: SkipPreflight = False,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try every failed run again, not only those whose code has changed."),
    ] = False,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes",
            help="Go on although code has changed since runs succeeded: their numbers stay the same.",
        ),
    ] = False,
) -> None:
    """Search, confirm on fresh seeds, test once, attack, report. Stopped and started again, it goes on.

    A study file that asks for more trials, regularizers, training sets, seeds or robustness tests than DIR holds
    adds the new work to it.
    """
    from tune_reg.backends.ray.launch import run_study
    from tune_reg.display.plan import print_whole_plan
    from tune_reg.display.progress import live_progress
    from tune_reg.errors import StudyError
    from tune_reg.store import load
    from tune_reg.study import Study, make_plan

    if prior is not None and only is not None:
        raise StudyError("--prior: means nothing with --only robustness, which searches nothing; drop it")
    if retry_failed and only is not None:
        raise StudyError("--retry-failed: means nothing with --only robustness, which trains nothing; drop it")
    load_plugins(plugin)
    declared = Study.from_toml(study)
    if prior is not None:
        declared = declared.with_prior(load(prior))
    print_whole_plan(make_plan(_as_begun(out, declared)), [out, prior])
    try:
        with until_interrupted():
            run_study(
                declared,
                out,
                address=address,
                data_root=data,
                plugins=plugin,
                robustness_only=only is not None,
                skip_preflight=skip_preflight,
                retry_failed=retry_failed,
                accept_changes=accept_changes,
                note=lambda line: console.print(f"note: {line}", soft_wrap=True),
                watch=lambda controller: live_progress(controller.progress, console),
            )
    except NothingSucceededError:
        report(out)
        raise
    report(out)


@contextmanager
def until_interrupted() -> Iterator[None]:
    """End the command where Ctrl-C or SIGTERM interrupts what is inside, and say how it goes on."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        # Pressed once more while Python ends, it would print a trace.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
        console.print(f"interrupted; `{shlex.join(['tune-reg', *sys.argv[1:]])}` goes on from here", soft_wrap=True)
        # As a shell has it: 130 after Ctrl-C, 143 after SIGTERM.
        raise typer.Exit(128 + (interrupt.args[0] if interrupt.args else signal.SIGINT)) from None


def report(
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="The results of a study: a path, s3://... or gs://...")
    ],
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="Where the report goes, if not into DIR/report.")
    ] = None,
    columns: Annotated[
        int,
        typer.Option(min=1, max=2, help="Columns of the paper's page, for the size of PDF, PNG and LaTeX tables."),
    ] = 2,
) -> None:
    """Print the result table of DIR and the answer, and write its report: HTML, Markdown, LaTeX, CSV and figures."""
    import analysis
    from tune_reg.display.tables import print_results
    from tune_reg.store import load

    data = analysis.Snapshot(load(directory))
    print_results(analysis.result_rows(data), analysis.result_headings(data))
    for sentence in analysis.lost_sentences(data):
        console.print(sentence, soft_wrap=True)
    judged = analysis.verdict(data)
    if judged is not None:
        console.print(f"which: {judged.which}", soft_wrap=True)
        console.print(f"decided? {judged.decided}", soft_wrap=True)
        console.print(f"believe it? {judged.believe}", soft_wrap=True)
    page = analysis.report(directory, out, columns=1 if columns == 1 else 2)
    console.print(f"report: {page}", soft_wrap=True)
    failed = analysis.given_up(data)
    if failed:
        console.print(failed, soft_wrap=True)


def compare(
    directories: Annotated[list[str], typer.Argument(metavar="DIR...", help="The results of two or more studies.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the comparison goes.")],
) -> None:
    """Write one report about several studies: the same regularizers on several data sets or models."""
    import analysis

    page = analysis.compare(directories, out)
    console.print(f"comparison: {page}", soft_wrap=True)


def check(
    study: StudyFile,
    data: DataRoot = None,
    plugin: Plugins = [],  # noqa: B006
    prior: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Results of another study, which tell how much seeds vary."),
    ] = None,
    skip_preflight: SkipPreflight = False,
) -> None:
    """Validate a study, try its parts once, and print what it will cost, in epochs, and what it can decide."""
    from tune_reg.display.plan import print_check
    from tune_reg.store import load
    from tune_reg.study import Study

    load_plugins(plugin)
    declared = Study.from_toml(study)
    if prior is not None:
        declared = declared.with_prior(load(prior))
    print_check(declared, str(study), data=data, prior=prior, skip_preflight=skip_preflight)


def _as_begun(directory: str, declared: Study) -> Study:
    """The study as it goes on in a directory; as declared where that cannot be read, which the run says itself."""
    from tune_reg.errors import TuneRegError
    from tune_reg.execution.results_directory import as_begun
    from tune_reg.storage.paths import to_path

    try:
        return as_begun(to_path(directory), declared)
    except (OSError, TuneRegError):
        return declared
