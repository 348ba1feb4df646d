"""How often are the report's claims wrong, and how often does it miss what is true? Simulated, without training.

    .venv/bin/python benchmarks/claims.py [--parts coverage families rounds same-method-twice] [--studies 200]
        [--samplers default random] [--dims 1 2] [--images 240 2000 10000] [--out FILE.json]

``coverage``: how often the 95 % intervals of each rule hold the truth. ``families``: level and power of the primary and
the secondary comparisons, beside two other rules. ``rounds``: level of the confirmation in rounds, and the seeds that a
decision takes. All of these take two minutes; ``same-method-twice`` takes hours with the default search:

the same method twice (``_claims/same_method_twice.py``): a made-up method whose true accuracy is known is searched
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

import optuna
from _claims.coverage import coverage
from _claims.families import families
from _claims.rounds import rounds
from _claims.same_method_twice import SAMPLERS, measure
from _shared.command_line import CommandLine, write_json

TWICE = "same-method-twice"
#: Each simulated part, and how many studies it takes for each one that is asked for.
PARTS = {"coverage": (coverage, 5), "families": (families, 1), "rounds": (rounds, 5)}
SMALL = {"studies": 2, "samplers": ["random"], "dims": [1], "images": [2000]}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, SMALL)
    parser.names("--parts", [*PARTS, TWICE], "what is measured")
    parser.add_argument("--studies", type=int, default=200, help="made-up studies of each kind")
    parser.names("--samplers", SAMPLERS, "how is searched, for the same method twice")
    parser.add_argument("--dims", type=int, nargs="+", choices=(1, 2), default=[1, 2], help="hyperparameters")
    parser.add_argument("--images", type=int, nargs="+", default=[240, 2000, 10_000], help="validation images")
    parser.outputs()
    options = parser.read(arguments)
    if options.studies < 1:
        parser.error("argument --studies: must be at least 1")
    measured: dict[str, list[dict[str, object]]] = {}
    for name, (part, times) in PARTS.items():
        if name in options.parts:
            measured[name] = []
            for of_kind in part(times * options.studies):
                row = {key: None if value != value else value for key, value in of_kind._asdict().items()}  # NaN
                print(name, *(f"{key} {_short(value)}" for key, value in row.items()), sep="  ", flush=True)
                measured[name].append(row)
    if TWICE in options.parts:
        measured["same_method_twice"] = _twice(options)
    write_json(options.out, measured)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _twice(options: Namespace) -> list[dict[str, object]]:
    rows = []
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for dims in options.dims:
            for images in options.images:
                for sampler in options.samplers:
                    of_kind = measure(options.studies, dims, images, sampler)
                    rows += of_kind
                    for row in of_kind:
                        show(row)
    optuna.logging.set_verbosity(verbosity)
    return rows


def show(row: dict[str, float]) -> None:
    share = row["false_claims"]
    error = math.sqrt(share * (1 - share) / row["studies"])
    print(
        f"{row['dims']} hyperparameters, {row['images']:6,} images, {row['sampler']:7}, {row['seeds']:2} seeds: "
        f"false claims {100 * share:.1f} ± {100 * error:.1f} % (without regret {100 * row['without_regret']:.0f} %), "
        f"0.5 points claimed {100 * row['gain_claimed']:.0f} %; regret {row['regret']:.2f} ± "
        f"{row['regret_deviation']:.2f} (true {row['true_regret']:.2f}, error {row['error']:.2f} sd)",
        flush=True,
    )


if __name__ == "__main__":
    main()
