"""The commands that tell what there is: lists, data sets, and what works on this machine."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from search_spaces import SearchSpace
from tune_reg.cli.options import DataRoot, Plugins, console, load_plugins
from tune_reg.errors import TuneRegError


def list_(
    what: Annotated[
        Literal["regularizers", "models", "datasets", "spaces", "attacks"],
        typer.Argument(help="What to list.", metavar="WHAT"),
    ],
    cite: Annotated[bool, typer.Option("--cite", help="With regularizers: their BibTeX.")] = False,
    plugin: Plugins = [],  # noqa: B006
) -> None:
    """List regularizers, models, datasets, spaces or attacks."""
    from tune_reg.data import DATASETS
    from tune_reg.display.tables import print_pairs
    from tune_reg.models import MODELS
    from tune_reg.regularizers import regularizers

    if cite and what != "regularizers":
        raise TuneRegError(f"--cite: means nothing with {what}; drop it")
    load_plugins(plugin)
    if what == "models":
        print_pairs(MODELS)
    elif what == "datasets":
        print_pairs(DATASETS)
    elif what == "attacks":
        from tune_reg.evaluation import ATTACKS

        print_pairs({f"robustness.{attack.key}": attack.description for attack in ATTACKS})
    elif what == "spaces":
        spaces = {name: kind.space for name, kind in regularizers().items()}
        print_pairs({f"{name}.{key}": _entry(space, key) for name, space in spaces.items() for key in space})
    elif cite:
        console.print("\n\n".join(kind.reference for kind in regularizers().values()))
    else:
        print_pairs({name: kind.formula for name, kind in regularizers().items()})


def _entry(space: SearchSpace, key: str) -> str:
    """The range of a hyperparameter and, where it is known, what is usual."""
    prior = space.priors.get(key)
    return str(space[key]) + (f"; usual {prior}" if prior else "")


def doctor() -> None:
    """Try what a study needs on this machine. Exit code 1 where something does not work."""
    from tune_reg.cli.doctor import examine

    table = Table(box=None, show_header=False, pad_edge=False)
    findings = examine()
    for finding in findings:
        mark = {True: Text("ok", style="green"), False: Text("fails", style="red"), None: Text()}[finding.ok]
        table.add_row(finding.what, mark, finding.detail)
    console.print(table)
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(1)


def data_fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of `tune-reg list datasets`.")],
    data: DataRoot = None,
) -> None:
    """Find or download a data set and check its md5 sums; what is there already is not fetched again."""
    from tune_reg.data import at_hand, is_of_code, load

    loaded = load(name, data)
    origin = "your own" if is_of_code(name) else at_hand(name, data)
    counts = f"{len(loaded.train_labels):,} + {len(loaded.test_labels):,} images"
    console.print(f"{name}: {counts}, whole; {origin}; md5 {loaded.md5}", soft_wrap=True)
