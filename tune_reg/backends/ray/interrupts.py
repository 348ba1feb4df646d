"""Ctrl-C and SIGTERM end a study in one way, whatever the process is doing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tune_reg.execution.controller import StudyController


@contextmanager
def stopped_by_signals(controller: StudyController) -> Iterator[None]:
    """Let Ctrl-C stop the study also where the exception is lost: Python drops one that comes in a finalizer.

    So does SIGTERM, which a queue, Kubernetes and ``ray job stop`` send before they end a process. The
    ``KeyboardInterrupt`` holds the signal's number. Ctrl-C that is ignored, as a script has it of what it starts with
    ``&``, stays ignored; where a program has its own handler for Ctrl-C, both signals are left alone.
    """

    def interrupt(number: int, _: object) -> None:
        error = KeyboardInterrupt(number)
        controller.stop(error)
        raise error

    on_ctrl_c = signal.getsignal(signal.SIGINT)
    is_default = on_ctrl_c in (signal.default_int_handler, signal.SIG_IGN)
    if threading.current_thread() is not threading.main_thread() or not is_default:
        yield
        return
    handled = [signal.SIGTERM] if on_ctrl_c == signal.SIG_IGN else [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.signal(number, interrupt) for number in handled}
    try:
        yield
    except KeyboardInterrupt:
        # Ray's calls raise a KeyboardInterrupt of their own, without the number.
        if controller.interrupt is not None:
            raise controller.interrupt from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
