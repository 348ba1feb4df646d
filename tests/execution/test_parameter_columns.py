from digits import digits_study

from search_spaces import DefinedByRun, SearchSpace, choice, integer, loguniform
from tune_reg.execution.parameter_columns import parameter_columns
from tune_reg.study import make_plan
from tune_reg.study.plan import Task


def columns_of(space):
    plan = make_plan(digits_study())
    task = Task("mine", 1.0, space, 1)
    return parameter_columns(plan.__class__(**{**vars(plan), "tasks": (task,)}))


def test_every_method_of_the_study_has_its_hyperparameters():
    columns = parameter_columns(make_plan(digits_study(regularizers=["weight-decay", "residual-smoothing"])))
    assert columns["weight_decay"] == columns["b"] == "number"
    assert columns["annealing"] == "text"


def test_ranges_and_fixed_numbers_are_numbers_and_choices_what_all_their_values_are():
    space = SearchSpace(
        {
            "range": loguniform(1e-3, 1),
            "whole": integer(1, 4),
            "sizes": choice([1, 2.5]),
            "mixed": choice([1, "all"]),
            "flags": choice([True, False]),
            "fixed": 0.5,
            "mode": "coupled",
        }
    )
    numbers = dict.fromkeys(("range", "whole", "sizes", "fixed"), "number")
    assert columns_of(space) == {**numbers, **dict.fromkeys(("mixed", "flags", "mode"), "text")}


def test_a_space_that_is_a_function_has_what_it_returned_and_not_what_it_asked_for():
    def space(trial):
        if trial.suggest_categorical("wide", ["yes", "no"]) == "yes":
            return {"strength": 10 ** trial.suggest_float("exponent", -4, 0)}
        return {"strength": "auto", "steps": 3}

    assert columns_of(DefinedByRun(space)) == {"strength": "text", "steps": "number"}
