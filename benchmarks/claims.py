"""How often are the report's claims wrong, and how often does it miss what is true? Simulated, without training.

    .venv/bin/python benchmarks/claims.py [--studies 200] [--samplers default random] [--dims 1 2]
        [--parts coverage families rounds real-curves-twice two-methods same-method-twice]
        [--images 240 2000 10000] [--out FILE.json]

``coverage``: how often the 95 % intervals of each rule hold the truth. ``families``: level and power of the primary and
the secondary comparisons, beside two other rules. ``rounds``: level of the confirmation in rounds, and the seeds that a
decision takes. All of these take two minutes; the others a quarter of an hour each for 100 studies with the default
search:

``real-curves-twice`` (``_claims/table_study.py``): each method of the tables of real learning curves in
``benchmarks/data`` is searched twice, with 16 trainings each, on three seeds of the table, and the two picks are
compared on six others. A claim that they differ is false. ``--studies``: of each table.

``two-methods`` (``_claims/two_methods.py``): two methods of these tables, trained on the same images seed by seed, are
each searched, and compared so. Which one is better at its best, all seeds of the tables say. ``--studies``: of each
two.

``same-method-twice`` (``_claims/made_up_study.py``): a made-up method whose true accuracy is known is searched
twice, with 16 trials each, and the two picks are trained anew on 5, 10 and 20 paired seeds. A claim that they differ is
false. The regret of both picks, by the model of final values, is part of the estimate and of its variance; without it,
the luck of two searches is claimed as a difference of methods. Beside it stands how often a true gain of 0.5 points is
claimed. ``--images``: validation images.
"""

from __future__ import annotations

import math
import warnings
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import optuna
from _claims.coverage import coverage
from _claims.families import families
from _claims.made_up_study import MadeUpStudy
from _claims.rounds import rounds
from _claims.same_method_twice import SAMPLERS, Study, Twice, measured, searched_twice
from _claims.table_study import CONFIRMED, pairs_of_methods, table_studies
from _claims.two_methods import measured as measured_of_two
from _shared.command_line import CommandLine, write_json

ON_TABLES = "real-curves-twice"
TWO_METHODS = "two-methods"
MADE_UP = "same-method-twice"
#: Numbers of confirmed runs of made-up studies.
MADE_UP_SEEDS = (5, 10, 20)
#: Each simulated part, and how many studies it takes for each one that is asked for.
PARTS = {"coverage": (coverage, 5), "families": (families, 1), "rounds": (rounds, 5)}
SMALL = {"studies": 2, "samplers": ["random"], "dims": [1], "images": [2000]}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, SMALL)
    parser.names("--parts", [*PARTS, ON_TABLES, TWO_METHODS, MADE_UP], "what is measured")
    parser.add_argument("--studies", type=int, default=200, help="studies of each kind")
    parser.names("--samplers", SAMPLERS, "how is searched, of the last three parts")
    parser.add_argument("--dims", type=int, nargs="+", choices=(1, 2), default=[1, 2], help="hyperparameters")
    parser.add_argument("--images", type=int, nargs="+", default=[240, 2000, 10_000], help="validation images")
    parser.outputs()
    options = parser.read(arguments)
    if options.studies < 1:
        parser.error("argument --studies: must be at least 1")
    numbers: dict[str, list[dict[str, Any]]] = {}
    for name, (part, times) in PARTS.items():
        if name in options.parts:
            numbers[name] = []
            for of_kind in part(times * options.studies):
                row = {key: None if value != value else value for key, value in of_kind._asdict().items()}  # NaN
                print(name, *(f"{key} {_short(value)}" for key, value in row.items()), sep="  ", flush=True)
                numbers[name].append(row)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if ON_TABLES in options.parts:
            numbers["real_curves_twice"] = _on_tables(options)
        if TWO_METHODS in options.parts:
            numbers["two_methods"] = _two_methods(options)
        if MADE_UP in options.parts:
            numbers["same_method_twice"] = _made_up(options)
    optuna.logging.set_verbosity(verbosity)
    write_json(options.out, numbers)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _on_tables(options: Namespace) -> list[dict[str, Any]]:
    """A row for each problem of a table, and for all with as many hyperparameters."""
    rows = []
    every = table_studies(options.studies)
    for dims in options.dims:
        problems = {name: studies for name, studies in every.items() if len(studies[0].space.domains) == dims}
        for sampler in options.samplers:
            of_all: list[Twice] = []
            for name, studies in problems.items():
                twice = _searched(studies, sampler, [CONFIRMED])
                rows += _named({"problem": name, "dims": dims, "sampler": sampler}, twice, [CONFIRMED])
                of_all += twice
            rows += _named({"problem": "all", "dims": dims, "sampler": sampler}, of_all, [CONFIRMED])
    return rows


def _two_methods(options: Namespace) -> list[dict[str, Any]]:
    rows = []
    for studies in pairs_of_methods(options.studies):
        first, second = studies[0]
        dims = len(first.space.domains)
        for sampler in options.samplers if dims in options.dims else ():
            name = {"first": first.name, "second": second.name, "dims": dims, "sampler": sampler}
            rows.append({**name, **measured_of_two(studies, sampler)})
            print("two methods", *(f"{key} {_short(value)}" for key, value in rows[-1].items()), sep="  ", flush=True)
    return rows


def _made_up(options: Namespace) -> list[dict[str, Any]]:
    rows = []
    for dims in options.dims:
        for images in options.images:
            for sampler in options.samplers:
                studies = [MadeUpStudy(number, dims=dims, images=images) for number in range(options.studies)]
                name = {"problem": "made-up", "dims": dims, "images": images, "sampler": sampler}
                rows += _named(name, _searched(studies, sampler, MADE_UP_SEEDS), MADE_UP_SEEDS)
    return rows


def _searched(studies: Sequence[Study], sampler: str, seeds: Sequence[int]) -> list[Twice]:
    return [searched_twice(study, number, sampler, seeds) for number, study in enumerate(studies)]


def _named(name: dict[str, Any], twice: Sequence[Twice], seeds: Sequence[int]) -> list[dict[str, Any]]:
    rows = [{**name, **row} for row in measured(twice, seeds)]
    for row in rows:
        show(row)
    return rows


def show(row: dict[str, Any]) -> None:
    share = row["false_claims"]
    error = math.sqrt(share * (1 - share) / row["studies"])
    of_images = f", {row['images']:,} images" if "images" in row else ""
    print(
        f"{row['problem']}, {row['dims']} hyperparameters{of_images}, {row['sampler']:7}, {row['seeds']:2} seeds, "
        f"{row['studies']} studies: "
        f"false claims {100 * share:.1f} ± {100 * error:.1f} % (without regret {100 * row['without_regret']:.0f} %), "
        f"0.5 points claimed {100 * row['gain_claimed']:.0f} %, 1 point {100 * row['large_gain_claimed']:.0f} %; "
        f"regret {row['regret']:.2f} ± {row['regret_deviation']:.2f} (true {row['true_regret']:.2f}, error "
        f"{row['error']:.2f} sd)",
        flush=True,
    )


if __name__ == "__main__":
    main()
