"""Digests of functions, classes and values: the same in every process, another where what they do changes."""

import functools
import subprocess
import sys

import cloudpickle
import numpy as np
import pytest

from tune_reg.object_digest import object_digest

BASE = """
WIDTH = 3
def helper(x):
    return x + 1
class Net:
    size = {"a", "b", "c"}
    def __init__(self, inputs):
        self.inputs = [helper(inputs), WIDTH]
def made(scale=2):
    return lambda inputs: (Net(inputs), scale)
"""


def digest(source, name="made()"):
    names = {"__name__": "__main__"}
    exec(source, names)
    return object_digest(eval(name, names))


@pytest.mark.parametrize("name", ["made()", "Net", "helper"])
def test_the_same_code_has_the_same_digest_wherever_it_stands(name):
    assert digest(BASE, name) == digest("# a comment\n\n" + BASE, name)


@pytest.mark.parametrize(
    "change",
    [("WIDTH = 3", "WIDTH = 4"), ("x + 1", "x + 2"), ("scale=2", "scale=3"), ('"a", ', ""), ("[helper", "[0, helper")],
)
def test_a_change_of_what_is_used_is_seen(change):
    assert digest(BASE) != digest(BASE.replace(*change))


def test_values_bound_to_a_function_count():
    one, same, other = (functools.partial(digest, np.arange(n)) for n in (3, 3, 4))
    assert object_digest(one) == object_digest(same) != object_digest(other)


def test_what_refers_to_itself_ends():
    assert digest("def f(n):\n    return f(n - 1)", "f") == digest("def f(n):\n    return f(n - 1)", "f")


def test_other_processes_have_the_same_digest():
    code = f"from tune_reg.object_digest import object_digest\n{BASE}\nprint(object_digest(made()))"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


@pytest.mark.parametrize("name", ["made()", "Net"])
def test_what_travelled_by_value_has_the_digest_that_it_had(name):
    names = {"__name__": "__main__"}
    exec(BASE, names)
    value = eval(name, names)
    assert object_digest(cloudpickle.loads(cloudpickle.dumps(value))) == object_digest(value)
