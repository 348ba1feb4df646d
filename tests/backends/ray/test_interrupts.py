"""Ctrl-C and SIGTERM while a study runs, in this process."""

import signal
import sys

import pytest
from digits import digits_study

from tune_reg.backends.ray.interrupts import stopped_by_signals
from tune_reg.execution.controller import StudyController
from tune_reg.study import make_plan


@pytest.fixture
def controller(tmp_path):
    return StudyController(make_plan(digits_study()), tmp_path)


def test_an_interrupt_that_is_lost_ends_the_study_all_the_same(controller):
    class Lost:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)  # Python prints what is raised here, and drops it

    with pytest.MonkeyPatch.context() as patch, stopped_by_signals(controller):
        patch.setattr(sys, "unraisablehook", lambda _: None)
        lost = Lost()
        del lost
    with pytest.raises(KeyboardInterrupt):
        controller.raise_if_stopped()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_sigterm_ends_a_study_as_ctrl_c_does_and_is_what_it_was_afterwards(controller):
    before = signal.getsignal(signal.SIGTERM)

    def call():
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None  # as Ray's calls do

    with pytest.raises(KeyboardInterrupt) as interrupt, stopped_by_signals(controller):
        call()
    assert interrupt.value.args == (signal.SIGTERM,)
    assert controller.stopped
    assert signal.getsignal(signal.SIGTERM) is before


def test_where_ctrl_c_is_ignored_it_stays_so_and_sigterm_ends_the_study(controller):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stopped_by_signals(controller):
            signal.raise_signal(signal.SIGINT)
        assert not controller.stopped
        with pytest.raises(KeyboardInterrupt) as interrupt, stopped_by_signals(controller):
            signal.raise_signal(signal.SIGTERM)
        assert interrupt.value.args == (signal.SIGTERM,)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_program_that_handles_ctrl_c_itself_goes_on_to_do_so(controller):
    handled = []
    before = signal.signal(signal.SIGINT, lambda number, _: handled.append(number))
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        with stopped_by_signals(controller):
            signal.raise_signal(signal.SIGINT)
            assert signal.getsignal(signal.SIGTERM) is on_sigterm
    finally:
        signal.signal(signal.SIGINT, before)
    assert handled == [signal.SIGINT]
    assert not controller.stopped
