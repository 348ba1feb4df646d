import io
from dataclasses import replace

from rich.console import Console

from search_spaces import SearchSpace
from tune_reg.display import progress as display
from tune_reg.execution.progress import StudyProgress, TaskProgress
from tune_reg.study import Task

TASK = Task("adadecay", 0.25, SearchSpace(), 16)
PROGRESS = StudyProgress(
    tasks=(TaskProgress(TASK, running=2, done=3, pruned=4, failed=1, best=0.9625, waiting=1),),
    confirmed=1,
    confirming=2,
    confirmations=10,
    confirmations_at_most=10,
    epochs=123,
    elapsed_s=75.0,
    left_s=3725.0,
)


def test_one_line_says_it_all():
    assert display.line(PROGRESS) == (
        "trials 8/16 (3 done, 4 pruned, 1 failed); 4 running, 1 waiting; confirmed 1/10; best adadecay 96.25%; "
        "123 epochs, 1:15 min, about 1:02 h left"
    )


def test_searches_on_several_training_sets_are_told_apart():
    other = replace(PROGRESS.tasks[0], task=Task("adadecay", 1.0, SearchSpace(), 16), best=0.975)
    several = replace(PROGRESS, tasks=(*PROGRESS.tasks, other))
    assert "; best adadecay at 0.25 96.25%, adadecay at 1 97.50%; " in display.line(several)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(display.table(several))
    assert "adadecay at 0.25 " in console.export_text()


def test_in_rounds_it_says_how_many_confirmed_runs_may_come():
    rounds = replace(PROGRESS, confirmations_at_most=60)
    assert "confirmed 1/10 (at most 60); " in display.line(rounds)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(display.table(rounds))
    assert "1 of 10 (at most 60)" in console.export_text()


def test_where_a_model_searches_the_line_counts_trainings():
    paused = replace(PROGRESS.tasks[0], paused=5, trainings=7 + 1 / 3)
    assert display.line(replace(PROGRESS, tasks=(paused,))).startswith(
        "trainings 7.3/16 (3 done, 5 paused, 4 pruned, 1 failed); 4 running, 1 waiting; confirmed 1/10; "
    )
    whole = replace(PROGRESS.tasks[0], trainings=9.0)
    assert display.line(replace(PROGRESS, tasks=(whole,))).startswith("trainings 9/16 (3 done, 4 pruned, 1 failed); ")
    large = replace(PROGRESS.tasks[0], done=12_345, task=replace(TASK, trials=20_000))
    assert display.line(replace(PROGRESS, tasks=(large,))).startswith("trials 12350/20000 (12345 done, 4 pruned")


def test_what_waits_is_named_where_it_can_be_told():
    none = replace(PROGRESS, tasks=(replace(PROGRESS.tasks[0], waiting=0),))
    assert "; 4 running; " in display.line(none)
    assert "; 4 running, 3 waiting; " in display.line(replace(none, confirming_waiting=3))
    of_directory = replace(PROGRESS, tasks=(replace(PROGRESS.tasks[0], waiting=None),))
    assert "; 4 running or waiting; " in display.line(of_directory)


def test_the_table_shows_the_same_numbers():
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    with console.file:
        console.print(display.table(PROGRESS))
        text = console.export_text()
    row = next(line for line in text.splitlines() if line.startswith("adadecay"))
    assert row.split() == ["adadecay", "2", "1", "·", "3", "4", "1", "8", "16", "96.25%"]
    assert next(iter(text.splitlines())).split()[:9] == [
        *("search", "running", "waiting", "paused", "done", "pruned", "failed", "used", "of"),
    ]
    assert "1 of 10" in text
    assert "about 1:02 h left" in text


def test_where_there_is_no_terminal_lines_are_printed(capsys):
    with display.live_progress(lambda: PROGRESS, Console(force_terminal=False, width=60)):
        pass
    assert capsys.readouterr().out == display.line(PROGRESS) + "\n"


def test_a_follower_in_a_pipe_reads_a_line_every_ten_seconds_and_the_last_one(capsys):
    clock = [0.0]
    with display.followed_progress(Console(force_terminal=False, width=60), clock=lambda: clock[0]) as show:
        for clock[0], epochs in ((0.0, 1), (2.0, 2), (9.0, 3), (10.0, 3), (12.0, 3), (21.0, 3), (22.0, 4)):
            show(replace(PROGRESS, epochs=epochs, elapsed_s=clock[0]))
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("epochs")[0].split()[-1] for line in lines] == ["1", "3", "4"]


def test_a_follower_in_a_terminal_sees_the_table():
    console = Console(width=100, force_terminal=True, file=open("/dev/null", "w"), record=True)  # noqa: SIM115, PTH123
    with console.file, display.followed_progress(console) as show:
        show(PROGRESS)
        show(replace(PROGRESS, confirmed=3))
    assert "3 of 10" in console.export_text()
