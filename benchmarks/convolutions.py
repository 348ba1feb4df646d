"""Milliseconds of convolutions and max-poolings of K lanes on a GPU: layer by layer, formulation by formulation.

    .venv/bin/python benchmarks/convolutions.py [--lanes 64] [--batch 128] [--twice] [--out FILE.json]

A time is that of the outputs and of the gradients of images, weights and biases, replayed as a CUDA graph; the least of
some replays counts. With ``--twice`` that of a penalty on the gradient of the images counts, too. Precisions: float32
without and with TF32, and bfloat16. A formulation that fails, or that computes something else than the grouped
convolution or torch's max-pooling, has its reason in place of a time. Each row is printed, and written to ``--out``, as
soon as it is there. Without a GPU there is nothing to measure; ``--cpu`` runs it on the CPU all the same, eagerly, to
see that it works.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import product

import torch
from _shared.command_line import USAGE_ERROR, CommandLine, write_json
from _shared.measuring import timed

from tune_reg.training import max_pool
from tune_reg.training.fastest import Clock, Measured, replay_milliseconds
from tune_reg.training.lanes.convolutions import Geometry, Layer, candidates, measure
from tune_reg.training.precision import products

#: Images [C, H, W] and weights [O, C, h, w] of one lane, and the padding.
LAYERS = {
    "lenet 1 -> 20, 5x5, 28": ((1, 28, 28), (20, 1, 5, 5), 0),
    "lenet 20 -> 50, 5x5, 12": ((20, 12, 12), (50, 20, 5, 5), 0),
    "small 1 -> 32, 3x3, 28": ((1, 28, 28), (32, 1, 3, 3), 0),
    "small 32 -> 64, 3x3, 13": ((32, 13, 13), (64, 32, 3, 3), 0),
    "small 64 -> 64, 3x3, 5": ((64, 5, 5), (64, 64, 3, 3), 0),
    "resnet 16 -> 16, 3x3, 28": ((16, 28, 28), (16, 16, 3, 3), 1),
    "resnet 32 -> 32, 3x3, 14": ((32, 14, 14), (32, 32, 3, 3), 1),
    "resnet 64 -> 64, 3x3, 7": ((64, 7, 7), (64, 64, 3, 3), 1),
}
#: Images [C, H, W] of one lane that are pooled in windows of 2 x 2.
POOLS = {
    "lenet pool 20, 24 -> 12": (20, 24, 24),
    "lenet pool 50, 8 -> 4": (50, 8, 8),
    "small pool 32, 26 -> 13": (32, 26, 26),
}
#: The axes of K lanes' images [K, B, C, H, W] in memory: as a grouped convolution leaves them, and channels last.
ORDERS = {"": (1, 0, 2, 3, 4), ", channels last": (1, 3, 4, 0, 2)}
#: dtype, and whether float32 may be rounded to TF32.
PRECISIONS = {"float32": (torch.float32, False), "TF32": (torch.float32, True), "bfloat16": (torch.bfloat16, False)}
#: Patches of im2col may take a thirty-second of the memory, which is unbounded here.
MEMORY = 2**48
SMALL = {"layer": ["small 64 -> 64, 3x3, 5"], "pool": ["lenet pool 50, 8 -> 4"], "lanes": 2, "batch": 2}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, SMALL)
    parser.names("--layer", LAYERS, "the convolutions")
    parser.names("--pool", POOLS, "the max-poolings")
    parser.names("--precision", PRECISIONS, "the precisions")
    parser.add_argument("--lanes", type=int, default=64, help="lanes, each with weights of its own")
    parser.add_argument("--batch", type=int, default=128, help="images of a lane")
    parser.add_argument("--twice", action="store_true", help="differentiate the gradient of the images once more")
    parser.add_argument("--cpu", action="store_true", help="run on the CPU, where the times mean nothing for a GPU")
    parser.outputs()
    options = parser.read(arguments)
    if not options.cpu and not torch.cuda.is_available():
        print("needs a GPU; --cpu --small shows that the program runs", file=sys.stderr)
        raise SystemExit(USAGE_ERROR)
    device = torch.device("cpu" if options.cpu else "cuda")
    name = "a CPU" if options.cpu else torch.cuda.get_device_name()
    print(f"{name}, torch {torch.__version__}, {options.lanes} lanes, batch {options.batch}; milliseconds", flush=True)
    host = {"device": name, "torch": torch.__version__}
    numbers = {"host": host, "lanes": options.lanes, "batch": options.batch, "twice": options.twice, "measured": []}
    torch.backends.cudnn.benchmark = True
    clock = eager_milliseconds if options.cpu else replay_milliseconds(device)
    for title, precision, rows in measured_layers(options, device, clock):
        print(f"{title:<39} {precision:<9} " + " | ".join(map(cell, rows)), flush=True)
        numbers["measured"].append({"layer": title, "precision": precision, "ways": list(map(as_json, rows))})
        write_json(options.out, numbers)


def measured_layers(
    options: argparse.Namespace, device: torch.device, clock: Clock
) -> Iterator[tuple[str, str, list[Measured]]]:
    """Each layer's title, its precision and the times of its formulations."""
    for title, precision in product(options.layer, options.precision):
        yield title, precision, convolution(title, precision, options, device, clock)
    for title, (suffix, order), precision in product(options.pool, ORDERS.items(), options.precision):
        if precision != "TF32":  # a max-pooling has no products
            images = (options.lanes, options.batch, *POOLS[title])
            layer = max_pool.Layer(images, order, (2, 2), PRECISIONS[precision][0])
            yield title + suffix, precision, max_pool.measure(layer, device, clock)


def convolution(
    title: str, precision: str, options: argparse.Namespace, device: torch.device, clock: Clock
) -> list[Measured]:
    """The candidates of a convolution in a precision."""
    images, weights, padding = LAYERS[title]
    dtype, in_tf32 = PRECISIONS[precision]
    geometry, batch = Geometry(padding=(padding, padding)), (options.batch, *images)
    layer = Layer(options.lanes, batch, weights, geometry, dtype, biased=True, twice=options.twice)
    with products("tf32" if in_tf32 else "float32"):
        return measure(layer, candidates(layer, MEMORY), device, clock)


def as_json(row: Measured) -> dict[str, object]:
    return {**row._asdict(), "milliseconds": None if row.refused else row.milliseconds}


def cell(row: Measured) -> str:
    return f"{row.name} {row.refused or f'{row.milliseconds:.3f}'}"


def eager_milliseconds(run: Callable[[], object]) -> float:
    return 1000 * timed(run, torch.device("cpu"))


if __name__ == "__main__":
    main()
