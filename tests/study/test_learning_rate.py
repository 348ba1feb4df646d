import pytest

from search_spaces import Float, Prior
from tune_reg.study import Study, make_plan
from tune_reg.study.learning_rate import learning_rate_prior
from tune_reg.training.settings import TrainingSettings

RANGE = Float(0.01, 1.0, log=True)


@pytest.mark.parametrize(
    ("training", "domain", "usual"),
    [
        ({}, RANGE, 0.05),
        ({"learning_rate": 0.2}, RANGE, 0.2),
        ({"optimizer": "adam"}, Float(1e-5, 1e-1, log=True), 1e-3),
        ({"optimizer": "adam"}, RANGE, None),  # what is usual is not in the range
        ({}, Float(0.01, 1.0), None),  # a factor says nothing of a range that is no logarithm
    ],
)
def test_the_usual_learning_rate_is_that_of_the_study_or_of_its_optimizer(training, domain, usual):
    prior = learning_rate_prior(TrainingSettings(**training), domain)
    assert (prior and prior.usual) == usual
    assert prior is None or prior.spread == 3.0


def test_a_learning_rate_that_is_searched_has_its_prior_beside_those_of_the_strengths():
    study = Study(
        name="x",
        dataset="digits",
        model="nn-2",
        regularizers=["weight-decay"],
        search={"learning_rate": {"low": 0.01, "high": 1.0, "log": True}},
    )
    (task,) = make_plan(study).tasks
    assert task.space.priors["learning_rate"] == Prior(0.05, 3.0, "usual with sgd")
    assert "weight_decay" in task.space.priors
    assert all("learning_rate" in start for start in task.space.start)
