"""What a trial needs of a node, and how many trials a cluster can run at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping

from tune_reg.errors import ClusterError
from tune_reg.study import ResourceSettings


def demand(resources: ResourceSettings) -> dict[str, float]:
    """What one trial takes of a node at least, by Ray's names; memory in bytes.

    >>> demand(ResourceSettings(gpus=0.5, accelerator_type="A100", memory_gb=2.0))
    {'CPU': 1.0, 'GPU': 0.5, 'memory': 2000000000.0, 'accelerator_type:A100': 0.001}
    """
    needed = {"CPU": float(resources.cpus)}
    if resources.least_gpus:
        needed["GPU"] = resources.least_gpus
    if resources.memory_gb:
        needed["memory"] = resources.memory_gb * 1e9
    if resources.accelerator_type:
        # A node has one of these in all; so little of it is taken that it never runs out.
        needed[f"accelerator_type:{resources.accelerator_type}"] = 0.001
    return needed


def slots(nodes: Iterable[Mapping[str, float]], needed: Mapping[str, float], share: float = 1.0) -> int:
    """Trials that may run on ``nodes`` (what each has) at once: a trial lies on one node, and a share on one GPU.

    ``share``: of the trials that fit, at most so many, but one where any fits.

    >>> slots([{"CPU": 4, "GPU": 2}, {"CPU": 3}], {"CPU": 3})
    2
    >>> slots([{"CPU": 16, "GPU": 2}], {"CPU": 1, "GPU": 0.4})  # two on each GPU
    4
    >>> [slots([{"CPU": cpus}], {"CPU": 1}, share=0.5) for cpus in (0, 1, 5, 8)]
    [0, 1, 2, 4]
    """
    fit = sum(min(_fit(node.get(name, 0.0), name, amount) for name, amount in needed.items()) for node in nodes)
    return min(fit, max(1, math.floor(share * fit + 1e-9)))


def refuse_what_fits_nowhere(nodes: Iterable[Mapping[str, float]], needed: Mapping[str, float]) -> None:
    """``ClusterError`` where no node can run a single trial: Ray would wait for one for ever."""
    nodes = list(nodes)
    if slots(nodes, needed) > 0:
        return
    wanted = ", ".join(f"{amount:g} {name}" for name, amount in needed.items())
    offered = "; ".join(", ".join(f"{node.get(name, 0.0):g} {name}" for name in needed) for node in nodes)
    raise ClusterError(
        f"resources: a trial needs {wanted}, which no node has (there: {offered or 'no node'}); ask for less in "
        "[resources], or start such a node first"
    )


def _fit(has: float, name: str, amount: float) -> int:
    # In floating point 1 / 0.1 may be a hair below 10.
    if name == "GPU" and amount < 1:
        return int(has) * math.floor(1 / amount + 1e-9)
    return math.floor(has / amount + 1e-9)


class LimitedRate:
    """A number that is asked for at most once in ``seconds``; between, the last answer stands."""

    def __init__(self, ask: Callable[[], int], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._number, self._asked = ask(), time.monotonic()

    def __call__(self) -> int:
        """The number, not older than ``seconds``."""
        if time.monotonic() - self._asked > self._seconds:
            self._number, self._asked = self._ask(), time.monotonic()
        return self._number
