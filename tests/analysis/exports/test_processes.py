import os
import signal
import subprocess
import sys
import time

import pytest

from analysis.exports.processes import spread


def test_answers_come_in_the_order_of_the_calls_from_other_processes():
    seconds = (0.3, 0.0, 0.1)
    assert spread(time.sleep, [(pause,) for pause in seconds], processes=2) == [None] * 3
    assert spread(abs, [(place,) for place in range(-9, 0)], processes=2) == list(range(9, 0, -1))
    assert os.getpid() not in spread(os.getpid, [()] * 4, processes=2)


def test_no_process_is_started_for_none():
    assert spread(os.getpid, [(), ()], processes=0) == [os.getpid()] * 2


def test_what_a_function_prints_is_no_answer(capfd):
    assert spread(print, [("one",), ("two",)], processes=2) == [None, None]
    assert sorted(capfd.readouterr().err.split()) == ["one", "two"]


def test_calls_are_read_while_the_first_run():
    def calls():
        for _ in range(3):
            read.append(time.monotonic())
            yield (1.0,)

    read = []
    spread(time.sleep, calls(), processes=2)
    assert read[-1] - read[0] < 1.0  # all three, before the first second was over


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_an_error_while_calls_are_made_is_raised(processes):
    def calls():
        yield (-1,)
        raise ValueError("no numbers")

    with pytest.raises(ValueError, match="no numbers"):
        spread(abs, calls(), processes=processes)


def test_an_error_in_a_process_stands_above_its_end(capfd):
    with pytest.raises(RuntimeError, match=r"a process that ran divmod ended with 1"):
        spread(divmod, [(1, 0), (1, 1)], processes=2)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_killed_process_is_told():
    with pytest.raises(RuntimeError, match=r"a process that ran _exit ended with 9"):
        spread(os._exit, [(9,)], processes=2)


def test_what_cannot_be_pickled_harms_no_other_call():
    with pytest.raises((AttributeError, TypeError), match="pickle"):
        spread(len, [("ab",), (lambda: 0,)], processes=2)


@pytest.mark.parametrize("while_they", ["start", "work"])
@pytest.mark.parametrize(
    "sent",
    # To the caller, which does not handle it, SIGTERM is the end as SIGKILL is.
    [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGINT],
)
def test_processes_end_with_the_caller(sent, while_they):
    code = """
import os, sys
from analysis.exports.processes import spread

def calls():
    print("start", file=sys.stderr, flush=True)  # they are started before the first call is read
    yield from [("echo work >&2; sleep 1",)] * 9

spread(os.system, calls(), processes=2)
"""
    # The pipe of what it prints is closed when the last process that has it ends.
    caller = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, start_new_session=True, text=True)
    assert caller.stderr is not None
    while caller.stderr.readline().strip() != while_they:
        assert caller.poll() is None
    if sent == signal.SIGINT:
        os.killpg(caller.pid, sent)  # as a terminal does
    else:
        caller.send_signal(sent)
    _, printed = caller.communicate(timeout=20)
    assert caller.returncode != 0
    assert printed.count("Traceback") <= (sent == signal.SIGINT)  # the caller's own


def test_a_long_call_ends_soon_after_its_caller():
    """The pipe tells of the caller's end only between two calls."""
    code = """
import os, sys, time
from analysis.exports.processes import spread

def calls():
    yield from [(1000,)] * 2

print(os.getpid(), flush=True)
spread(time.sleep, calls(), processes=2)
"""
    # The pipe is closed when the last process that has it ends.
    caller = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    caller.stdout.readline()
    time.sleep(3)  # the processes are there
    caller.kill()
    caller.communicate(timeout=20)
