"""The tables of learning curves in benchmarks/data: small, complete, and made by the commands of their README."""

import re
import shlex

import numpy as np
import pytest


@pytest.fixture
def commands(folder):
    """Name of a table -> the options that the README gives."""
    text = (folder / "data" / "README.md").read_text(encoding="utf-8")
    return {
        name: shlex.split(options) for name, options in re.findall(r"^(\w+):\n\n```sh\n(.+?)```", text, re.M | re.S)
    }


def values(options, name):
    """The values of an option."""
    begin = options.index(name) + 1
    given = options[begin:]
    return given[: next((i for i, word in enumerate(given) if word.startswith("--")), len(given))]


def test_each_table_has_its_command_and_each_command_its_table(folder, commands):
    assert {path.stem for path in (folder / "data").glob("*.npz")} == commands.keys()


def test_tables_are_small_and_complete(folder, commands, module):
    for name, options in commands.items():
        path = folder / "data" / f"{name}.npz"
        assert path.stat().st_size < 150_000
        problems = module("_search.tables").table_problems(path)
        (method,) = {problem.name.removesuffix(" x lr") for problem in problems}
        with np.load(path) as table:
            cells = sorted(zip(table[f"{method}_S"], table[f"{method}_L"], strict=True))
            assert len(table[f"{method}_test"]) >= 9
        strengths, rates = (
            [float(value) for value in values(options, f"--{of}")] for of in ("strengths", "learning-rates")
        )
        assert len(strengths) >= 9
        assert cells == sorted((s, r) for s in strengths for r in rates)
        assert method == values(options, "--regularizer")[0]
        assert problems[0].training(np.array([0.4]), 0, 0, 0).shape == (27,)


def test_a_table_can_be_made_again(main, folder, commands, tmp_path):
    """One of its trainings is; on another processor its accuracies may be a little different."""
    options = commands["digits_dropout"]
    for name, value in (("--strengths", "0.2"), ("--learning-rates", "0.025"), ("--seeds", "1")):
        begin = options.index(name) + 1
        options[begin : begin + len(values(options, name))] = [value]
    main("strength_table", *options, "--out", "again.npz")
    with np.load(tmp_path / "again.npz") as again, np.load(folder / "data" / "digits_dropout.npz") as table:
        at = (table["dropout_S"] == 0.2) & (table["dropout_L"] == 0.025)
        assert again["dropout_test"][0, 0] == pytest.approx(table["dropout_test"][0, at][0], abs=0.03)
        assert again["dropout_curves"][0, 0] == pytest.approx(table["dropout_curves"][0, at][0], abs=0.1)
        assert again["dropout_regularizer"] == table["dropout_regularizer"] == "dropout"
