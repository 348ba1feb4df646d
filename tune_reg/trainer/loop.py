"""A training loop of the user's in a thread of its own, which waits at each report for what is decided."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final

from tune_reg.trainer.ended import RunEnded
from tune_reg.trainer.handle import Report, TrainerRun

#: Seconds between two questions whether the loop is to be left.
_ASK_S: Final = 0.2


class Loop:
    """Calls ``train(run)`` and turns it around: ``next`` lets it go on, and gives what it reports next.

    ``train`` gets ``run``, whose reports must come to ``say``. Only one of the two threads runs at a time, but for a
    loop that does not end where it is told to.
    """

    def __init__(self, train: Callable[[TrainerRun], object]) -> None:
        self._train = train
        self._reports: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        self._go_on: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_ended = False
        #: What the loop raised.
        self.error: BaseException | None = None

    def next(self, run: TrainerRun, leave: Callable[[], bool] = lambda: False) -> Report | None:
        """Start the loop, or let it go on from its last report; its next report, or None where it has returned.

        ``leave``: asked while it trains; where it is true, ``RunEnded`` is raised.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._main, args=(run,), name="trainer", daemon=True)
            self._thread.start()
        else:
            self._go_on.put(None)
        while True:
            try:
                return self._reports.get(timeout=_ASK_S)
            except queue.Empty:
                if leave():
                    raise RunEnded from None

    def say(self, report: Report) -> None:
        """Hand a report over, from the loop's thread; returns where the loop goes on, else raises ``RunEnded``."""
        self.check()
        self._reports.put(report)
        self._go_on.get()
        self.check()

    def check(self) -> None:
        """Raise ``RunEnded`` where the loop is to end."""
        if self._is_ended:
            raise RunEnded

    def end(self, patience_s: float) -> bool:
        """Let the loop end at its report or at its next step; whether it has ended in so many seconds."""
        self._is_ended = True
        if self._thread is None:
            return True
        self._go_on.put(None)
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _main(self, run: TrainerRun) -> None:
        try:
            run.seed_globals(0)
            self._train(run)
        except RunEnded:
            pass
        except BaseException as error:
            self.error = error
        finally:
            self._reports.put(None)
