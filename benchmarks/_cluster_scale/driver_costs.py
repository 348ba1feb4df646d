"""What each trial costs the driver, measured while an arm runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from pathlib import Path

Row = dict[str, float]


class DriverCosts:
    """Seconds, processor time and memory of the driver at each of ``marks`` trials; ``send`` gets each row."""

    def __init__(self, marks: Set[int], send: Callable[[Row], None]) -> None:
        self._marks, self._send = marks, send
        #: Gives the size of the search's journal in MiB.
        self.journal: Callable[[], float] = lambda: 0.0
        self._trials = 0
        self._last = (0, 0.0, 0.0)
        self._asks: list[float] = []

    @contextmanager
    def ask(self) -> Iterator[None]:
        """Time one ask for a configuration."""
        begin = time.perf_counter()
        yield
        self._asks.append(time.perf_counter() - begin)

    def end(self) -> None:
        """Count a trial that has ended. The clock starts with the first one."""
        self._trials += 1
        now = (self._trials, time.perf_counter(), time.process_time())
        if self._trials == 1:
            self._last = now
        elif self._trials in self._marks:
            trials = now[0] - self._last[0]
            self._send(
                {
                    "trials": self._trials,
                    "seconds_a_trial": (now[1] - self._last[1]) / trials,
                    "driver_s_a_trial": (now[2] - self._last[2]) / trials,
                    "ask_ms": 1000 * sum(self._asks) / max(1, len(self._asks)),
                    "driver_MiB": _memory(),
                    "journal_MiB": self.journal(),
                }
            )
            self._last = now
            self._asks.clear()


def _memory() -> float:
    """MiB of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
