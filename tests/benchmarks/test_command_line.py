"""What all benchmarks have in common: their help, their smallest size, and mistakes that are one line."""

import argparse
import re

import pytest


def failed(call, capsys):
    """The exit code and the messages of a call that ends the program."""
    with pytest.raises(SystemExit) as exit_:
        call()
    return exit_.value.code, capsys.readouterr()


def test_help_says_each_option_in_one_line(each_program, main, capsys):
    code, output = failed(lambda: main(each_program, "--help"), capsys)
    assert code == 0
    description, _, options = output.out.partition("\noptions:\n")
    assert f"benchmarks/{each_program}.py" in description, "the docstring says the command"
    lines = options.splitlines()
    assert len(lines) >= 3
    for line in lines:
        assert re.fullmatch(r"  (-h, )?--[a-z-]+( .+?)?  +\S.*", line), line
    assert any(line.startswith("  --small ") for line in lines)
    assert any(line.startswith("  --out ") for line in lines)


def test_an_unknown_option_is_one_line(each_program, main, capsys):
    code, output = failed(lambda: main(each_program, "--out", "x", "--nonsense"), capsys)
    assert (code, output.out) == (2, "")
    assert output.err == f"{each_program}.py: unrecognized arguments: --nonsense\n"


@pytest.mark.parametrize(
    ("program", "option", "example"),
    [
        ("vs_plain_tune", "--arms", "idle-ours"),
        ("cluster_scale", "--arms", "stock-default"),
        ("search_efficiency", "--arms", "old-default"),
        ("search_efficiency", "--problems", "crossing curves"),
        ("strength_table", "--regularizer", "unknown regularizer"),
        ("ask_time", "--arms", "tpe"),
        ("lanes", "--regularizer", "adadecay"),
        ("many_trials", "--pruner", "wilcoxon"),
        ("lanes", "--model", "resnet-20"),
        ("regularizer_step", "--model", "small-cnn"),
        ("attacks", "--model", "small-cnn"),
    ],
)
def test_a_wrong_name_is_one_line_that_says_the_right_ones(main, capsys, program, option, example):
    code, output = failed(lambda: main(program, option, "nonsense"), capsys)
    assert (code, output.out) == (2, "")
    assert output.err.startswith(f"{program}.py: argument {option}: ")
    assert "nonsense" in output.err
    assert example in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize(("program", "table"), [("digits_table", "table.csv"), ("strength_table", "table.npz")])
def test_a_file_that_exists_is_not_written_over(main, capsys, tmp_path, program, table):
    (tmp_path / table).write_text("precious")
    code, output = failed(lambda: main(program, "--small", "--out", table), capsys)
    assert code == 2
    assert output.err == f"{program}.py: --out {table}: exists already; give the name of a new file\n"
    assert (tmp_path / table).read_text() == "precious"


@pytest.mark.parametrize(
    ("program", "option"),
    [
        ("search_efficiency", "--more"),
        ("cluster_scale", "--draw"),
        ("digits_table", "--small"),
        ("strength_table", "--small"),
    ],
)
def test_what_is_read_or_written_must_be_named(main, capsys, program, option):
    code, output = failed(lambda: main(program, option), capsys)
    assert code == 2
    assert "--out" in output.err
    assert output.err.count("\n") == 1


def test_small_gives_way_to_what_is_given(module):
    def read(*arguments):
        parser = module("_shared.command_line").CommandLine("", {"trials": 3, "epochs": 1})
        parser.add_argument("--trials", type=int, default=24)
        parser.add_argument("--epochs", type=int, default=4)
        options = parser.read(arguments)
        return options.trials, options.epochs

    assert read() == (24, 4)
    assert read("--small") == (3, 1)
    assert read("--small", "--epochs", "2") == (3, 2)


def test_a_model_that_is_none_is_an_error_for_argparse(module):
    model_name = module("_shared.model_option").model_name
    assert model_name("nn-2") == "nn-2"
    with pytest.raises(argparse.ArgumentTypeError, match="unknown model 'nn'"):
        model_name("nn")
