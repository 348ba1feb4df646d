"""The command ``tune-reg``."""

from __future__ import annotations

import shlex
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer
from rich.console import Console
from rich.table import Table

import tune_reg
from tune_reg.errors import LostClusterError, TuneRegError, UnreachableError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tune_reg.cluster import Inputs
    from tune_reg.search.sweep import Sweep
    from tune_reg.study import Study

app = typer.Typer(
    name="tune-reg",
    help="Which regularizer, how strong, on what schedule.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
#: Files and pipes have no width of their own; 120 keeps a table row on one line.
console = Console(width=None if sys.stdout.isatty() else 120)

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="The study, a TOML file.")]
DataRoot = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", envvar="TUNE_REG_DATA", help="Where the data sets lie."),
]


Plugins = Annotated[
    list[Path], typer.Option("--plugin", metavar="FILE", help="A Python file that registers a regularizer of your own.")
]


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if version:
        console.print(tune_reg.__version__, highlight=False)
        raise typer.Exit


@app.command()
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
) -> None:
    """Search, confirm on fresh seeds, test once, attack, report. Stopped and started again, it goes on.

    A study file that asks for more trials, regularizers, training sets, seeds or robustness tests than DIR holds
    adds the new work to it.
    """
    from tune_reg.plan import plan
    from tune_reg.search.display import shown
    from tune_reg.search.launch import run_study
    from tune_reg.study import Study

    _load(plugin)
    declared = Study.from_toml(study)
    if prior is not None:
        declared = declared.with_prior(tune_reg.load(prior))
    console.print(_plan_table(declared, plan(declared)))
    _print_lanes_note(declared)

    def watch(sweep: Sweep) -> AbstractContextManager[None]:
        return shown(sweep, console)

    try:
        run_study(
            declared, out, address=address, data_root=data, plugins=plugin, attacks_only=only is not None, watch=watch
        )
    except KeyboardInterrupt as interrupt:
        console.print(f"interrupted; `{shlex.join(['tune-reg', *sys.argv[1:]])}` goes on from here", soft_wrap=True)
        # As a shell has it: 130 after Ctrl-C, 143 after SIGTERM.
        raise typer.Exit(128 + (interrupt.args[0] if interrupt.args else signal.SIGINT)) from None
    report(out)


@app.command()
def report(
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="The results of a study: a path, s3://... or gs://...")
    ],
) -> None:
    """Print the result table of DIR and write its report: HTML, Markdown, LaTeX, CSV and figures."""
    import analysis

    results = tune_reg.load(directory)
    _print_results(analysis.result_rows(results))
    page = analysis.report(directory)
    console.print(f"report: {page}", soft_wrap=True, highlight=False)


@app.command()
def compare(
    directories: Annotated[list[str], typer.Argument(metavar="DIR...", help="The results of two or more studies.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the comparison goes.")],
) -> None:
    """Write one report about several studies: the same regularizers on several data sets or models."""
    import analysis

    page = analysis.compare(directories, out)
    console.print(f"comparison: {page}", soft_wrap=True, highlight=False)


@app.command()
def check(
    study: StudyFile,
    plugin: Plugins = [],  # noqa: B006
) -> None:
    """Validate a study and print what it will cost, in epochs."""
    from tune_reg.plan import plan
    from tune_reg.study import Study

    _load(plugin)
    declared = Study.from_toml(study)
    console.print(_plan_table(declared, plan(declared)))
    _print_lanes_note(declared)
    console.print(f"{study}: valid; hash {declared.hash}", soft_wrap=True, highlight=False)


@app.command("list")
def list_(
    what: Annotated[
        Literal["regularizers", "models", "datasets", "spaces"], typer.Argument(help="What to list.", metavar="WHAT")
    ],
    cite: Annotated[bool, typer.Option("--cite", help="With regularizers: their BibTeX.")] = False,
    plugin: Plugins = [],  # noqa: B006
) -> None:
    """List regularizers, models, datasets or spaces."""
    from tune_reg import data, models
    from tune_reg.regularizers import regularizers

    _load(plugin)
    if what == "models":
        _print_pairs(models.MODELS)
    elif what == "datasets":
        _print_pairs(data.DATASETS)
    elif what == "spaces":
        spaces = {name: kind.space for name, kind in regularizers().items()}
        _print_pairs({f"{name}.{key}": str(space[key]) for name, space in spaces.items() for key in space})
    elif cite:
        console.print("\n\n".join(kind.reference for kind in regularizers().values()), highlight=False, markup=False)
    else:
        _print_pairs({name: kind.formula for name, kind in regularizers().items()})


@app.command()
def doctor() -> None:
    """Try what a study needs on this machine. Exit code 1 where something does not work."""
    from tune_reg.doctor import examine

    table = Table(box=None, show_header=False, pad_edge=False)
    findings = examine()
    for finding in findings:
        mark = {True: "[green]ok[/]", False: "[red]fails[/]", None: ""}[finding.ok]
        table.add_row(finding.what, mark, finding.detail)
    console.print(table)
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(1)


@app.command()
def submit(
    study: StudyFile,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="The results: a folder on the cluster, or s3://... Manifests have a default: the study's name.",
        ),
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="http://HEAD:8265", help="Send it as a Ray job to a cluster that is up.")
    ] = None,
    kuberay: Annotated[bool, typer.Option("--kuberay", help="Print a manifest for KubeRay instead.")] = False,
    slurm: Annotated[bool, typer.Option("--slurm", help="Print a script for Slurm's sbatch instead.")] = False,
    plugin: Plugins = [],  # noqa: B006
    data: Annotated[
        str | None, typer.Option("--data", metavar="DIR", help="Where the data sets lie on the cluster.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the job has ended; exit code 1 if it failed.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", help="The same, and show its progress.")] = False,
    image: Annotated[str | None, typer.Option(metavar="IMAGE", help="KubeRay: an image with tune-reg.")] = None,
    claim: Annotated[
        str | None, typer.Option(metavar="NAME", help="KubeRay: the claim of a volume for results or data.")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="KubeRay: a Secret with the credentials of an object store."),
    ] = None,
    nodes: Annotated[int | None, typer.Option(metavar="N", help="KubeRay, Slurm: nodes that train.")] = None,
    cpus_per_node: Annotated[int | None, typer.Option(metavar="N", help="KubeRay, Slurm.")] = None,
    gpus_per_node: Annotated[int | None, typer.Option(metavar="N", help="KubeRay, Slurm.")] = None,
    memory_gb_per_node: Annotated[int | None, typer.Option(metavar="N", help="KubeRay, Slurm.")] = None,
    time: Annotated[str | None, typer.Option(metavar="LIMIT", help="Slurm: the time limit, as 24:00:00.")] = None,
    partition: Annotated[str | None, typer.Option(metavar="NAME", help="Slurm.")] = None,
    account: Annotated[str | None, typer.Option(metavar="NAME", help="Slurm.")] = None,
) -> None:
    """Send a study to a cluster, or print the file that starts it there.

    A study that was sent to the same DIR before is not sent twice: its job is found, and waited for.
    """
    from tune_reg.cluster import Inputs, KubeRay, Nodes, Slurm, rayjob, sbatch
    from tune_reg.errors import ClusterError
    from tune_reg.study import Study

    if sum((address is not None, kuberay, slurm)) != 1:
        raise ClusterError("submit: give one of --address http://HEAD:8265, --kuberay and --slurm")
    way = "--address" if address is not None else "--kuberay" if kuberay else "--slurm"
    shape: dict[str, Any] = {
        "count": nodes,
        "cpus": cpus_per_node,
        "gpus": gpus_per_node,
        "memory_gb": memory_gb_per_node,
    }
    kube: dict[str, Any] = {"image": image, "claim": claim, "secret": secret}
    queue: dict[str, Any] = {"time": time, "partition": partition, "account": account}
    watching: dict[str, Any] = {"wait": wait or None, "follow": follow or None}
    idle: dict[str, Any] = {
        "--address": shape | kube | queue,
        "--kuberay": queue | watching,
        "--slurm": kube | watching,
    }[way]
    for name in _given(idle):
        raise ClusterError(f"--{_OPTIONS.get(name, name)}: means nothing with {way}; drop it")
    _load(plugin)
    declared = Study.from_toml(study)
    if address is not None:
        if out is None:
            raise ClusterError("--out: is required with --address; a folder on storage that all nodes share")
        _send(Inputs.read(declared, out, data=data, plugins=plugin), address, wait=wait, follow=follow)
        return
    inputs = Inputs.read(declared, out or "out", data=data, plugins=plugin)
    machines = Nodes(**_given(shape))
    if kuberay:
        inputs = replace(inputs, out=out or f"/storage/{inputs.label}")
        text = rayjob(inputs, machines, KubeRay(**_given(kube)))
    else:
        inputs = replace(inputs, out=out or f"out/{inputs.label}")
        text = sbatch(inputs, machines, Slurm(**_given(queue)))
    sys.stdout.write(text)


@app.command()
def fetch(
    directory: Annotated[
        str,
        typer.Argument(metavar="DIR", help="The results, as the cluster's head names them, or s3://... or gs://..."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="HERE", help="A new or empty folder on this machine.")],
    address: Annotated[
        str | None, typer.Option(metavar="ray://HEAD:10001", help="The cluster; 'auto' on its head.")
    ] = None,
) -> None:
    """Bring the results of a study home from a cluster or an object store, each file checked by its SHA-256."""
    from tune_reg.cluster.fetch import StoreFolder, folder_on
    from tune_reg.cluster.fetch import fetch as copy
    from tune_reg.errors import ClusterError
    from tune_reg.places import RemotePath, located

    place = located(directory)
    if isinstance(place, RemotePath):
        if address is not None:
            raise ClusterError(f"--address: means nothing with {place}, which is read from here; drop it")
        entries = copy(StoreFolder(place), out)
    elif address is None:
        raise ClusterError(f"--address: is required, as {directory} lies on a cluster; give ray://HEAD:10001")
    else:
        with folder_on(address, directory) as folder:
            entries = copy(folder, out)
    size = sum(entry.size for entry in entries) / 1e6
    console.print(f"{out}: {len(entries)} files, {size:.1f} MB, as they are there", soft_wrap=True, highlight=False)


data_app = typer.Typer(help="Data sets: fetch them before they are needed.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of `tune-reg list datasets`.")],
    data: DataRoot = None,
) -> None:
    """Find or download a data set and check its md5 sums; what is there already is not fetched again."""
    from tune_reg import data as datasets

    loaded = datasets.load(name, data)
    place = "your own" if ":" in name else datasets.at_hand(name, data)
    counts = f"{len(loaded.train_labels):,} + {len(loaded.test_labels):,} images"
    console.print(f"{name}: {counts}, whole; {place}; md5 {loaded.md5}", soft_wrap=True, highlight=False)


def main() -> None:
    """Run the command; a user's mistake is one line on standard error and exit code 2, a lost store or cluster 1."""
    try:
        app()
    except TuneRegError as error:
        for line in str(error).splitlines():
            print(f"tune-reg: {line}", file=sys.stderr)  # noqa: T201 - rich would wrap the line
        sys.exit(1 if isinstance(error, UnreachableError | LostClusterError) else 2)


def _load(plugins: list[Path]) -> None:
    from tune_reg.regularizers import load_plugin

    for path in plugins:
        load_plugin(path)


#: Where a keyword is not its option.
_OPTIONS: Final = {
    "count": "nodes",
    "cpus": "cpus-per-node",
    "gpus": "gpus-per-node",
    "memory_gb": "memory-gb-per-node",
}


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _send(inputs: Inputs, address: str, *, wait: bool, follow: bool) -> None:
    from tune_reg.cluster import jobs

    client = jobs.connect(address)
    job = jobs.submit(client, inputs)
    said = "sent" if job.new else f"was sent before, {job.status.lower()}"
    console.print(f"{job.name}: {said}; results in {inputs.out} there", soft_wrap=True, highlight=False)
    if not (wait or follow):
        return
    try:
        status = _followed(client, job.name, inputs) if follow else jobs.wait(client, job.name)
    except KeyboardInterrupt:
        command = shlex.join(["tune-reg", *sys.argv[1:]])
        console.print(f"{job.name} goes on by itself; `{command}` finds it", soft_wrap=True, highlight=False)
        raise typer.Exit(128 + signal.SIGINT) from None
    reason = "" if status == "SUCCEEDED" else f"; {jobs.why(client, job.name)}"
    console.print(f"{job.name}: {status.lower()}{reason}", soft_wrap=True, highlight=False, markup=False)
    if status != "SUCCEEDED":
        raise typer.Exit(1)


def _followed(client: Any, name: str, inputs: Inputs) -> str:
    """Show how far the job is until it has ended: from its results, or where these cannot be seen here, by its log."""
    from tune_reg.cluster import jobs
    from tune_reg.places import located
    from tune_reg.search.display import followed
    from tune_reg.search.progress import Follower

    # A relative path is one of the job's own.
    there = inputs.out if "://" in inputs.out or Path(inputs.out).is_absolute() else None
    follower = Follower(inputs.study, inputs.study_text, located(there)) if there is not None else lambda: None
    log = jobs.Log(client, name)
    with followed(console) as show:

        def look() -> None:
            progress = follower()
            if progress is not None:
                show(progress)
            elif text := log.new():
                console.print(text, end="", soft_wrap=True, highlight=False, markup=False)

        return jobs.wait(client, name, look=look)


def _print_lanes_note(study: Study) -> None:
    """Say so where lanes are asked for and nothing can be one."""
    if study.resources.lanes == 1:
        return  # without the second that loading the search takes
    from tune_reg.search.lane_keys import lanes_note

    note = lanes_note(study)
    if note is not None:
        console.print(note, soft_wrap=True, highlight=False, markup=False)


def _print_pairs(pairs: dict[str, str]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, text in pairs.items():
        table.add_row(name, text)
    console.print(table, markup=False)


def _plan_table(study: Any, rows: list[Any]) -> Table:
    title = f"{study.name}: {study.model} on {study.dataset}; epochs a run: {study.training.epochs}"
    if study.protocol == "paper":
        title += '; protocol "paper": strengths are picked on the TEST set'
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("regularizer", no_wrap=True)
    for column in ("trials", "epochs at most", "confirmed runs", "epochs", "images at most"):
        table.add_column(column, justify="right")
    numbers = [
        (row.trials, row.search_epochs, row.confirmed_runs, row.confirm_epochs, row.image_passes) for row in rows
    ]
    for row, cells in zip(rows, numbers, strict=True):
        table.add_row(row.regularizer, *(f"{cell:,}" for cell in cells))
    table.add_row("total", *(f"{sum(column):,}" for column in zip(*numbers, strict=True)), style="bold")
    return table


def _print_results(rows: list[Any]) -> None:
    """The result table of the report, as far as a terminal has room for it: a block for each training set."""
    from analysis import HEADINGS

    shown = ("regularizer", "test_accuracy", "difference", "p")
    for data in dict.fromkeys(row.data for row in rows):
        block = [row for row in rows if row.data == data]
        table = Table(title=data, title_justify="left", box=None, pad_edge=False)
        for column in shown:
            table.add_column(HEADINGS[column], no_wrap=column == "regularizer")
        for row in block:
            table.add_row(*(getattr(row, column) for column in shown))
        console.print(table, markup=False)
        for row in block:
            notes = f" ({row.notes})" if row.notes else ""
            console.print(f"  {row.regularizer}: {row.params}{notes}", style="dim", markup=False, highlight=False)
        console.print()


if __name__ == "__main__":
    main()
