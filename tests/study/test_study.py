import itertools
import math
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from search_spaces import SearchSpace, choice, integer, loguniform, uniform
from tune_reg.errors import StudyError
from tune_reg.regularizers import regularizer
from tune_reg.study import Study, make_plan
from tune_reg.study.settings import PrunerName, SamplerName


def one_of(names):
    """The names of a Literal, as an error lists them."""
    *others, last = map(repr, get_args(names))
    return f"{', '.join(others)} or {last}"


BASE = {"name": "x", "dataset": "digits", "model": "nn-2", "regularizers": {"weight-decay": {}, "adadecay": {}}}

FULL = """
name = "everything"
dataset = "digits"
model = "lenet-4"
baseline = "weight-decay"
fractions = [1.0, 0.25]
protocol = "paper"
seed = 3

[training]
epochs = 5
batch_size = 64
learning_rate = 0.2
learning_rate_schedule = { kind = "piecewise", boundaries = [0.75], values = [1, 0.01] }
momentum = 0.5
loss = "mse"
augment = "crop-flip"
validation = 0.1

[search]
trials = 4
sampler = "random"
pruner = "none"
reduction_factor = 2
min_epochs = 2
learning_rate = { low = 0.01, high = 0.5, log = true }
fractions = [0.25]

[confirm]
seeds = 2

[robustness]
fgsm = [0.1, 0.2]
images = 50

[resources]
cpus = 2
gpus = 0.5

[regularizers.residual-smoothing]
b = { low = 0.1, high = 1.7 }
alpha = [0, 1, 2.5]
annealing = "logistic"
start = [{ b = 0.5, alpha = 1 }]

[regularizers.weight-decay]
weight_decay = 0
"""


def made(**changes):
    return Study(**{**BASE, **changes})


@pytest.fixture
def full(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(FULL)
    return Study.from_toml(path)


# Bad input: one line that names the key, the rule and the value

WD = "regularizers.weight-decay"
BAD = {
    "unknown regularizer": (
        {"regularizers": ["wieght-decay"]},
        "regularizers.wieght-decay: unknown regularizer 'wieght-decay'; did you mean 'weight-decay'? "
        "known: adadecay, adadecay-matched, ",
    ),
    "unknown model": (
        {"model": "lenet4"},
        "model: unknown model 'lenet4'; did you mean 'lenet-4'? known: nn-2, nn-2-small, nn-3, nn-3-small, lenet-4, ",
    ),
    "unknown data set": (
        {"dataset": "fashion_mnist"},
        "dataset: unknown data set 'fashion_mnist'; did you mean 'fashion-mnist'? known: digits, mnist, fashion-mnist, "
        "cifar10, cifar100, svhn, or your own as package.module:function",
    ),
    "own data set that is not there": (
        {"dataset": "no_such_module:f"},
        "dataset: data set 'no_such_module:f' cannot be",
    ),
    "own model that is not there": (
        {"model": "no_such_module:f"},
        "model: model 'no_such_module:f' cannot be imported",
    ),
    "low > high": (
        {"regularizers": {"weight-decay": {"weight_decay": {"low": 1, "high": 0.1}}}},
        f"{WD}.weight_decay: low <= high must hold, but got low=1.0, high=0.1",
    ),
    "log with low 0": (
        {"regularizers": {"weight-decay": {"weight_decay": {"low": 0, "high": 0.1, "log": True}}}},
        f"{WD}.weight_decay: a log range needs low > 0, but got low=0.0, high=0.1",
    ),
    "unknown hyperparameter": (
        {"regularizers": {"weight-decay": {"weight_decya": 1.0}}},
        f"{WD}.weight_decya: weight-decay has no such hyperparameter; did you mean 'weight_decay'? "
        "known: weight_decay, batch_size, batch_size_schedule, "
        "learning_rate, learning_rate_schedule, loss, momentum, optimizer",
    ),
    "hyperparameter of another": (
        {"regularizers": {"weight-decay": {"alpha": {"low": 0, "high": 8}}}},
        f"{WD}.alpha: weight-decay has no such hyperparameter; known: weight_decay, batch_size, batch_size_schedule, "
        "learning_rate, learning_rate_schedule, loss, momentum, optimizer",
    ),
    "value outside the hard bounds": (
        {"regularizers": {"weight-decay": {"weight_decay": -0.1}}},
        f"{WD}.weight_decay: must lie in [0, inf), but got -0.1",
    ),
    "range outside the hard bounds": (
        {"regularizers": {"weight-decay": {"weight_decay": {"low": -1, "high": 1}}}},
        f"{WD}.weight_decay: must lie in [0, inf), but got -1.0",
    ),
    "choice outside the hard bounds": (
        {"regularizers": {"residual-smoothing": {"annealing": ["laplace", "gauss"]}}},
        "regularizers.residual-smoothing.annealing: must be one of laplace, logistic, constant, but got 'gauss'",
    ),
    "text for a number": (
        {"regularizers": {"weight-decay": {"weight_decay": "big"}}},
        f"{WD}.weight_decay: must be a finite number, but got 'big'",
    ),
    "list in a list": (
        {"regularizers": {"weight-decay": {"weight_decay": [[1]]}}},
        f"{WD}.weight_decay: the values of a choice must be numbers, text or true and false, but got [1]",
    ),
    "empty list": (
        {"regularizers": {"weight-decay": {"weight_decay": []}}},
        f"{WD}.weight_decay: a choice needs at least one value, but got none",
    ),
    "unknown key in a range": (
        {"regularizers": {"weight-decay": {"weight_decay": {"low": 0, "hihg": 1}}}},
        f"{WD}.weight_decay: a range has the keys low, high and, if wanted, log and integer, but got ['hihg', 'low']",
    ),
    "no table": (
        {"regularizers": {"weight-decay": 3}},
        f"{WD}: a SearchSpace, a table of hyperparameters or a function is wanted",
    ),
    "start is no list": (
        {"regularizers": {"weight-decay": {"start": 3}}},
        f"{WD}.start: a list of tables is wanted, but got 3",
    ),
    "start outside": (
        {"regularizers": {"weight-decay": {"start": [{"weight_decay": 3}]}}},
        f"{WD}.start: a starting point lies outside its range: weight_decay=3",
    ),
    "start of what is not searched": (
        {"regularizers": {"weight-decay": {"weight_decay": 0.1, "start": [{"weight_decay": 0.1}]}}},
        f"{WD}.start: a starting point gives weight_decay, which is not searched: []",
    ),
    "no regularizer": (
        {"regularizers": {}},
        "regularizers: a list of names or a table of spaces is wanted, with at least",
    ),
    "one name": ({"regularizers": "weight-decay"}, "regularizers: a list of names or a table of spaces is wanted"),
    "regularizer twice": (
        {"regularizers": ["adadecay", "adadecay"]},
        "regularizers: must differ, but got ['adadecay', 'adadecay']",
    ),
    "fraction 0": ({"fractions": [0.0, 1.0]}, "fractions.0: must be greater than 0, but got 0.0"),
    "fraction above 1": ({"fractions": [0.5, 1.5]}, "fractions.1: must be less than or equal to 1, but got 1.5"),
    "fraction below 0": ({"fractions": [-0.5]}, "fractions.0: must be greater than 0, but got -0.5"),
    "fraction nan": ({"fractions": [math.nan]}, "fractions.0: must be "),
    "fraction twice": ({"fractions": [0.5, 0.5]}, "fractions: must differ, but got [0.5, 0.5]"),
    "no fraction": ({"fractions": []}, "fractions: "),
    "fraction alone": ({"fractions": 0.5}, "fractions: must be a valid list, but got 0.5"),
    "searched fraction that is none": (
        {"fractions": [0.5, 1.0], "search": {"fractions": [0.25]}},
        "search.fractions: each must be one of fractions [0.5, 1.0], but got [0.25]",
    ),
    "searched fraction twice": (
        {"search": {"fractions": [1.0, 1.0]}},
        "search.fractions: must differ, but got [1.0, 1.0]",
    ),
    "both sizes": (
        {"fractions": [0.5], "images_per_class": [50]},
        "fractions: stands in place of images_per_class, but got both; drop one of them",
    ),
    "no image of a class": ({"images_per_class": [0]}, "images_per_class.0: must be greater than or equal to 1, but"),
    "more of a class than there are": (
        {"images_per_class": [120]},
        "images_per_class: must be <= 119, the images left for training divided by the classes, but got 120",
    ),
    "searched on another kind of size": (
        {"images_per_class": [50], "search": {"fractions": [1.0]}},
        "search.fractions: the study gives images_per_class; give search.images_per_class in its place",
    ),
    "searched on images that are none of the study's": (
        {"images_per_class": [20, 50], "search": {"images_per_class": [30]}},
        "search.images_per_class: each must be one of images_per_class [20, 50], but got [30]",
    ),
    "zero trials": ({"search": {"trials": 0}}, "search.trials: must be greater than or equal to 1, but got 0"),
    "half a trial": ({"search": {"trials": 2.5}}, "search.trials: must be a valid integer, but got 2.5"),
    "batch larger than the subset": (
        {"fractions": [0.05, 1.0]},
        "training.batch_size: must be <= the images of the smallest training set (60), but got 128; "
        "lower it or take more images",
    ),
    "validation leaves nothing": (
        {"training": {"validation": 0.9999, "batch_size": 1}},
        "training.validation: must leave images to train on, but got 0.9999 of 1437",
    ),
    "unknown key": (
        {"modle": "nn-2"},
        "modle: unknown key; did you mean 'model'? known: name, trainer, examples, dataset, model",
    ),
    "unknown key in a table": (
        {"search": {"trails": 3}},
        "search.trails: unknown key; did you mean 'trials'? known: trials, seeds, sampler",
    ),
    "table that is none": (
        {"search": 3},
        "search: must be a table, but got 3",
    ),
    "unknown sampler": (
        {"search": {"sampler": "cma"}},
        f"search.sampler: must be {one_of(SamplerName)}, but got 'cma'",
    ),
    "unknown pruner": (
        {"search": {"pruner": "bohb"}},
        f"search.pruner: must be {one_of(PrunerName)}, but got 'bohb'",
    ),
    "a rank test over too few seeds": (
        {"search": {"pruner": "wilcoxon", "seeds": 3}},
        "search.seeds: must be >= 4 for search.pruner wilcoxon, whose test can reach p < 0.1 only then, but got 3",
    ),
    "a pause without its model": (
        {"search": {"sampler": "tpe", "pruner": "pause"}},
        "search.pruner: \"pause\" needs the model of search.sampler knowledge-gradient, got 'tpe'; leave the ",
    ),
    "the model and a pruner of other samplers": (
        {"search": {"sampler": "knowledge-gradient", "pruner": "asha"}},
        'search.pruner: with search.sampler knowledge-gradient it must be "pause" or "none", but got \'asha\'; take ',
    ),
    "a budget of neither": (
        {"search": {"budget": "minutes"}},
        "search.budget: must be 'epochs' or 'seconds', but got 'minutes'",
    ),
    "two objectives and stopped trials": (
        {"search": {"pruner": "asha", "second_objective": {"kind": "epoch_time"}}},
        'search.pruner: with search.second_objective it must be "pause" or "none", but got \'asha\'',
    ),
    "two objectives and a sampler for one": (
        {"search": {"pruner": "none", "sampler": "cma-es", "second_objective": {"kind": "epoch_time"}}},
        "search.sampler: with search.second_objective it must be knowledge-gradient, tpe-gp, tpe, qmc, random or grid, "
        "but got 'cma-es'",
    ),
    "two objectives and patience": (
        {"search": {"pruner": "none", "patience": 3, "second_objective": {"kind": "epoch_time"}}},
        "search.patience: with search.second_objective it must be 0: two objectives have no single best, but got 3",
    ),
    "robust to nothing": (
        {"search": {"pruner": "none", "second_objective": {"kind": "robust_accuracy"}}},
        "search.second_objective.epsilon: must be > 0 for robust_accuracy, and is for nothing else, but got 0 with "
        "robust_accuracy",
    ),
    "an unknown second objective": (
        {"search": {"pruner": "none", "second_objective": {"kind": "flops"}}},
        "search.second_objective.kind: must be 'robust_accuracy' or 'epoch_time', but got 'flops'",
    ),
    "a grid over a range": (
        {"search": {"sampler": "grid"}},
        "search.sampler: grid needs a list of choices for each hyperparameter that is searched, but weight_decay of "
        "weight-decay has the range 1e-06 to 0.1, log; give a list or take another sampler",
    ),
    "unknown protocol": ({"protocol": "test"}, "protocol: must be 'validation' or 'paper', but got 'test'"),
    "text seed": ({"seed": "3"}, "seed: must be a valid integer, but got '3'"),
    "negative seed": ({"seed": -1}, "seed: must be greater than or equal to 0, but got -1"),
    "baseline that is none": (
        {"baseline": "residual-smoothing"},
        "baseline: 'residual-smoothing' is none of the study's regularizers: weight-decay, adadecay",
    ),
    "rung above the epochs": (
        {"search": {"min_epochs": 11}},
        "search.min_epochs: must be <= training.epochs (10), but got 11",
    ),
    "learning rate 0": (
        {"training": {"learning_rate": 0.0}},
        "training.learning_rate: must be greater than 0, but got 0.0",
    ),
    "unknown schedule": (
        {"training": {"learning_rate_schedule": "sigmod"}},
        "training.learning_rate_schedule: kind must be one of constant, "
        "piecewise, steps, exponential, sigmoid, cosine, ",
    ),
    "wrong schedule": (
        {"training": {"learning_rate_schedule": {"kind": "cosine", "stop": 1}}},
        "training.learning_rate_schedule: a cosine schedule has the parameters start, end, but got stop",
    ),
    "learning rate that is no range": (
        {"search": {"learning_rate": 0.1}},
        "search.learning_rate: a range or a list of choices is wanted, but got 0.1; fix it in [training] instead",
    ),
    "learning rate range from 0": ({"search": {"learning_rate": {"low": 0, "high": 1}}}, "search.learning_rate: "),
    "learning rates in lists": ({"search": {"learning_rate": [[0.1]]}}, "search.learning_rate: the values of a choice"),
    "fgsm 0": ({"robustness": {"fgsm": [0.0]}}, "robustness.fgsm.0: must be greater than 0, but got 0.0"),
    "no seeds": ({"confirm": {"seeds": 0}}, "confirm.seeds: must be greater than or equal to 1, but got 0"),
    "no margin": ({"confirm": {"margin": 0.0}}, "confirm.margin: must be greater than 0, but got 0.0"),
    "margin in points": ({"confirm": {"margin": 1.0}}, "confirm.margin: must be less than 1, but got 1.0"),
    "unknown primary": (
        {"confirm": {"primary": "pgd-linf", "seeds": 5}, "robustness": {"pgd_linf": [0.1]}},
        "confirm.primary: nothing measured is called 'pgd-linf'; did you mean 'pgd_linf'? known: test_accuracy, fgsm, ",
    ),
    "primary that is not tested": (
        {"confirm": {"primary": "fgsm", "seeds": 5}},
        "confirm.primary: fgsm is not tested; give robustness.fgsm, or another primary",
    ),
    "primary of another stage in rounds": (
        {"confirm": {"primary": "corruptions"}, "robustness": {"corruptions": ["jpeg"]}},
        "confirm.primary: rounds are decided by test_accuracy, but the primary comparison is of corruptions; give "
        "confirm.seeds, a fixed number of seeds",
    ),
    "name of two lines": ({"name": "a\nb"}, "name: "),
    "no name": ({"name": ""}, "name: "),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_that_says_key_rule_and_value(case):
    changes, message = BAD[case]
    with pytest.raises(StudyError) as caught:
        made(**changes)
    said = str(caught.value)
    assert said.startswith(message)
    assert "\n" not in said


@pytest.mark.parametrize("key", ["name", "dataset", "model", "regularizers"])
def test_what_is_required_is_asked_for(key):
    with pytest.raises(StudyError, match=rf"^{key}: is required$"):
        Study(**{k: v for k, v in BASE.items() if k != key})


def test_every_mistake_has_its_line():
    with pytest.raises(StudyError) as caught:
        made(model="nn2", seed=-1, search={"trials": 0, "sampler": "x"})
    keys = [line.partition(":")[0] for line in str(caught.value).splitlines()]
    assert sorted(keys) == ["model", "search.sampler", "search.trials", "seed"]


def test_a_batch_as_large_as_the_subset_is_allowed_and_one_more_is_not():
    """1,437 images, 240 held out: 1,197; half of it is 598."""
    assert made(fractions=[0.5], training={"batch_size": 598}).images(0.5) == 598
    with pytest.raises(StudyError, match=r"smallest training set \(598\), but got 599"):
        made(fractions=[0.5], training={"batch_size": 599})
    assert made(protocol="paper", training={"batch_size": 1437}).images(1.0) == 1437
    assert made(training={"validation": 1e-6}).images(1.0) == 1436, "one is held out at least, as the split does"


# The file


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('name = "x"\nmodel = \n', 2),
        ('name = "x"\n\n[training\nepochs = 3\n', 3),
        ("a = 1\na = 2\n", 2),
        ('name = "x', 1),
        ('name = "x"\n[search]\nlearning_rate = { low = 1, high = 2,, }\n', 3),
    ],
)
def test_toml_that_does_not_parse_is_named_with_its_line(tmp_path, text, line):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(StudyError) as caught:
        Study.from_toml(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: is not valid TOML: ")
    assert re.search(rf"\bline {line}\b", said)
    assert "\n" not in said


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"absent\.toml: cannot be read: No such file or directory$"):
        Study.from_toml(tmp_path / "absent.toml")
    with pytest.raises(StudyError, match=r": cannot be read: Is a directory$"):
        Study.from_toml(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(StudyError, match=r"latin\.toml: cannot be read: .*utf-8.*"):
        Study.from_toml(tmp_path / "latin.toml")


def test_a_mistake_in_a_file_is_named_with_the_file(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text('name = "x"\ndataset = "digits"\nmodel = "nn2"\nregularizers = ["weight-decay"]\nseed = -1\n')
    with pytest.raises(StudyError) as caught:
        Study.from_toml(path)
    lines = str(caught.value).splitlines()
    assert [line.startswith(f"{path}: ") for line in lines] == [True, True]


def test_everything_in_a_file_arrives(full):
    assert (full.name, full.dataset, full.model, full.protocol, full.seed) == (
        "everything",
        "digits",
        "lenet-4",
        "paper",
        3,
    )
    assert full.fractions == [0.25, 1.0]
    assert full.search.fractions == [0.25]
    assert full.search.learning_rate == loguniform(0.01, 0.5)
    assert full.training.batch_size == 64
    assert full.training.schedule()(0.75) == 0.01
    assert full.resources.gpus == 0.5
    space = full.regularizers["residual-smoothing"].space
    assert space["b"] == uniform(0.1, 1.7)
    assert space["alpha"] == choice([0, 1, 2.5])
    assert space["annealing"] == "logistic"
    assert space["weight_decay"] == regularizer("residual-smoothing").space["weight_decay"], "what is not named"
    assert space.start == ({"b": 0.5, "alpha": 1},)
    assert full.regularizers["weight-decay"].space.fixed == {"weight_decay": 0}


def test_round_trip_through_toml(full, tmp_path):
    for study in (full, made(), made(search={"learning_rate": [0.1, 0.2]}, regularizers=["adadecay"])):
        path = tmp_path / "again.toml"
        path.write_text(study.to_toml())
        again = Study.from_toml(path)
        assert again == study
        assert again.hash == study.hash
        assert again.to_toml() == study.to_toml()
        assert Study(**study.to_plain()) == study


def test_the_studies_of_the_repository_are_valid():
    files = sorted((Path(__file__).parents[2] / "studies").glob("*.toml"))
    assert files
    for path in files:
        assert make_plan(Study.from_toml(path)).tasks


# The hash


def test_toml_and_python_that_say_the_same_have_the_same_hash(full):
    python = Study(
        name="everything",
        dataset="digits",
        model="lenet-4",
        baseline="weight-decay",
        regularizers={
            "weight-decay": SearchSpace({"weight_decay": 0.0}),
            "residual-smoothing": SearchSpace(
                {"annealing": "logistic", "alpha": choice([0.0, 1.0, 2.5]), "b": uniform(0.1, 1.7)},
                start=[{"alpha": 1.0, "b": 0.5}],
            ),
        },
        fractions=[0.25, 1],
        protocol="paper",
        seed=3,
        training={
            "validation": 0.1,
            "augment": "crop-flip",
            "loss": "mse",
            "momentum": 0.5,
            "learning_rate_schedule": {"values": [1.0, 0.01], "boundaries": [0.75], "kind": "piecewise"},
            "learning_rate": 0.2,
            "batch_size": 64,
            "epochs": 5,
        },
        search={
            "trials": 4,
            "sampler": "random",
            "pruner": "none",
            "reduction_factor": 2,
            "min_epochs": 2,
            "learning_rate": loguniform(0.01, 0.5),
            "fractions": [0.25],
        },
        confirm={"seeds": 2},
        robustness={"fgsm": [0.1, 0.2], "images": 50},
    )
    assert python.hash == full.hash
    assert re.fullmatch(r"[0-9a-f]{16}", full.hash)


def test_ray_tune_domains_are_taken():
    from ray import tune

    tuned = made(regularizers={"adadecay": {"alpha": tune.uniform(0, 4), "weight_decay": tune.loguniform(1e-5, 1e-2)}})
    ours = made(regularizers={"adadecay": {"alpha": uniform(0, 4), "weight_decay": loguniform(1e-5, 1e-2)}})
    assert tuned == ours
    assert tuned.hash == ours.hash


def test_defaults_written_out_and_lists_of_names_say_the_same():
    listed = made(regularizers=["weight-decay", "adadecay"])
    assert listed.hash == made().hash
    assert listed.hash == made(baseline="weight-decay", fractions=[1.0], search={"fractions": [1.0]}).hash
    assert listed.hash == made(regularizers={"adadecay": {}, "weight-decay": {}}, baseline="weight-decay").hash


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"gpus": 1.5}, "resources.gpus: must be a share below 1 or a whole number, but got 1.5"),
        ({"gpus": "some"}, "resources.gpus: must be a number from 0 to 1000, or \"auto\", but got 'some'"),
        ({"gpus": True}, 'resources.gpus: must be a number from 0 to 1000, or "auto", but got True'),
        (
            {"gpus": 0, "accelerator_type": "A100"},
            "resources.accelerator_type: 'A100' is a kind of GPU, but resources.gpus is 0",
        ),
        ({"gpus": 1.0, "accelerator_type": "A 100"}, "resources.accelerator_type: string must match pattern"),
        ({"memory_gb": -1.0}, "resources.memory_gb: must be greater than or equal to 0, but got -1.0"),
        ({"lanes": 0}, 'resources.lanes: must be a whole number of at least 1, or "auto", but got 0'),
        ({"lanes": -1}, 'resources.lanes: must be a whole number of at least 1, or "auto", but got -1'),
        ({"lanes": 1.5}, 'resources.lanes: must be a whole number of at least 1, or "auto", but got 1.5'),
        ({"lanes": True}, 'resources.lanes: must be a whole number of at least 1, or "auto", but got True'),
        ({"lanes": "many"}, "resources.lanes: must be a whole number of at least 1, or \"auto\", but got 'many'"),
    ],
)
def test_resources_that_cannot_be_had(resources, said):
    with pytest.raises(StudyError) as error:
        made(resources=resources)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_resources_and_the_order_of_keys_do_not_matter():
    assert made(resources={"cpus": 8, "gpus": 1.0, "lanes": 4}).hash == made().hash
    assert Study(**dict(reversed(BASE.items())), training={"epochs": 3, "batch_size": 5}).hash == (
        made(training={"batch_size": 5, "epochs": 3}).hash
    )


CHANGES = [
    {"name": "y"},
    {"dataset": "mnist"},
    {"model": "nn-2-small"},
    {"regularizers": {"weight-decay": {}}},
    {"regularizers": {"weight-decay": {}, "adadecay": {"alpha": 4.0}}},
    {"regularizers": {"weight-decay": {}, "adadecay": {"alpha": uniform(-1, 7)}}},
    {"regularizers": {"weight-decay": {}, "adadecay": {"alpha": integer(-1, 8)}}},
    {"regularizers": {"weight-decay": {}, "adadecay": {"weight_decay": uniform(1e-6, 1e-1)}}},
    {"regularizers": {"weight-decay": {}, "adadecay": {"start": []}}},
    {"regularizers": {"weight-decay": {}, "adadecay": {"start": [{"alpha": 1.0}]}}},
    {"regularizers": {"weight-decay": {}, "adadecay": {"learning_rate": 0.1}}},
    {"baseline": "adadecay"},
    {"fractions": [0.5]},
    {"fractions": [0.5, 1.0]},
    {"images_per_class": [20]},
    {"images_per_class": [20, 50], "search": {"images_per_class": [20]}},
    {"protocol": "paper"},
    {"seed": 1},
    {"training": {"epochs": 11}},
    {"training": {"batch_size": 127}},
    {"training": {"batch_size_schedule": {"kind": "constant", "value": 0.5}}},
    {"training": {"precision": "bfloat16"}},
    {"training": {"precision": "tf32"}},
    {"training": {"learning_rate": 0.2}},
    {"training": {"learning_rate_schedule": "cosine"}},
    {"training": {"momentum": 0.8}},
    {"training": {"optimizer": "adam"}},
    {"training": {"loss": "mse"}},
    {"training": {"augment": "crop-flip"}},
    {"training": {"validation": 0.2}},
    {"training": {"validate_every": 2}},
    {"search": {"trials": 17}},
    {"search": {"seeds": 2}},
    {"search": {"patience": 8}},
    {"search": {"pruner": "none", "second_objective": {"kind": "epoch_time"}}},
    {"search": {"pruner": "none", "second_objective": {"kind": "robust_accuracy", "epsilon": 0.1}}},
    {"search": {"sampler": "random"}},
    {"search": {"pruner": "pause"}},
    {"search": {"reduction_factor": 4}},
    {"search": {"min_epochs": 2}},
    {"search": {"learning_rate": [0.1, 0.2]}},
    {"fractions": [0.5, 1.0], "search": {"fractions": [0.5]}},
    {"confirm": {"seeds": 6}},
    {"confirm": {"margin": 0.005}},
    {"confirm": {"seeds": 6, "primary": "fgsm"}, "robustness": {"fgsm": [0.1]}},
    {"robustness": {"fgsm": [0.1]}},
    *(
        {"robustness": {key: [0.1]}}
        for key in ("pgd_linf", "pgd_l2", "cw_l2", "deepfool_l2", "gaussian_noise", "uniform_noise", "salt_noise")
    ),
    {"robustness": {"corruptions": ["jpeg"]}},
    {"robustness": {"corruptions": ["all"]}},
    {"robustness": {"images": 999}},
]


def test_everything_else_matters():
    hashes = [made(**changes).hash for changes in ({}, *CHANGES)]
    for (i, one), (j, other) in itertools.combinations(enumerate(hashes), 2):
        assert one != other, (i, j)


def test_every_key_of_the_tables_is_among_those_that_were_changed():
    changed = {
        f"{t}.{k}" for change in CHANGES for t, table in change.items() if isinstance(table, dict) for k in table
    }
    for table in ("training", "search", "confirm", "robustness"):
        for key in set(made().to_plain()[table]) - {"shared_values"}:  # the next test has it
            assert f"{table}.{key}" in changed


def test_shared_values_stand_in_the_file_of_a_study_but_not_in_its_hash():
    """So that a directory that was begun without them can be told, and goes on."""
    without = made(search={"shared_values": False})
    assert made().to_plain()["search"]["shared_values"]
    assert without.to_plain()["search"]["shared_values"] is False
    assert "shared_values = false" in without.to_toml()  # it means the same where the file is read again
    assert without.hash == made().hash


# What follows from a study


def test_a_study_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        made().name = "other"


def test_the_baseline_is_the_first_where_not_given():
    assert made().baseline == "weight-decay"
    assert made(regularizers=["adadecay", "weight-decay"]).baseline == "adadecay"
    assert made(baseline="adadecay").baseline == "adadecay"


def test_strengths_are_searched_at_the_largest_fraction_unless_said():
    study = made(fractions=[1.0, 0.25])
    assert study.fractions == [0.25, 1.0]
    assert [task.name for task in make_plan(study).tasks] == ["weight-decay at 1", "adadecay at 1"]
    both = made(fractions=[1.0, 0.25], search={"fractions": [1.0, 0.25], "trials": 3})
    assert [(task.name, task.trials) for task in make_plan(both).tasks] == [
        ("weight-decay at 0.25", 3),
        ("weight-decay at 1", 3),
        ("adadecay at 0.25", 3),
        ("adadecay at 1", 3),
    ]


def test_the_learning_rate_is_searched_beside_every_strength():
    study = made(
        search={"learning_rate": loguniform(0.01, 0.5), "trials": 3},
        regularizers={"weight-decay": {}, "adadecay": {"learning_rate": 0.05}},
    )
    decay, ada = make_plan(study).tasks
    assert decay.space["learning_rate"] == loguniform(0.01, 0.5)
    assert decay.space.start == ({"weight_decay": 5e-4, "learning_rate": 0.1},)
    assert ada.space["learning_rate"] == 0.05, "a regularizer's own word goes first"
    outside = make_plan(made(search={"learning_rate": loguniform(0.2, 0.5)})).tasks[0]
    assert outside.space.start == ({"weight_decay": 5e-4},)


def test_where_nothing_is_searched_one_trial_says_it_all():
    study = made(regularizers={"weight-decay": {"weight_decay": 0.0}, "adadecay": {}}, search={"trials": 7})
    assert [task.trials for task in make_plan(study).tasks] == [1, 7]


def test_a_grid_has_no_more_trials_than_combinations():
    spaces = {
        "weight-decay": {"weight_decay": [1e-4, 1e-3]},
        "adadecay": {"weight_decay": [1e-4, 1e-3], "alpha": [1, 4]},
    }
    study = made(regularizers=spaces, search={"sampler": "grid", "trials": 3})
    assert [task.trials for task in make_plan(study).tasks] == [2, 3]


def test_winners_are_confirmed_in_rounds_where_no_number_of_seeds_is_given():
    assert "seeds" not in made().to_plain()["confirm"]
    assert {seed for *_, seed in make_plan(made()).confirmations} == set(range(1, 21))
    assert made(confirm={"margin": 0.005}).to_plain()["confirm"] == {"margin": 0.005}
    alone = made(regularizers=["adadecay"])
    assert {seed for *_, seed in make_plan(alone).confirmations} == set(range(1, 6)), "it is compared with nothing"


def test_a_study_of_before_there_were_rounds_keeps_its_hash():
    """Of release 0.1; it is the name of every result that lies on disk."""
    study = made(confirm={"seeds": 5})
    assert study.to_plain()["confirm"] == {"seeds": 5}
    assert made(confirm={"seeds": 5, "primary": "test_accuracy"}).hash == study.hash


def test_confirmations_are_paired_and_fresh():
    study = made(fractions=[0.25, 0.5, 1.0], search={"fractions": [0.25, 1.0]}, confirm={"seeds": 2}, seed=10)
    runs = [(task.name, size.fraction, seed) for task, size, seed in make_plan(study).confirmations]
    assert len(set(runs)) == len(runs)
    assert {seed for *_, seed in runs} == {11, 12}
    for name in ("weight-decay", "adadecay"):
        own = {(n.removeprefix(f"{name} at "), f, s) for n, f, s in runs if n.startswith(name)}
        assert own == {
            (searched, fraction, seed)
            for seed in (11, 12)
            for searched, fraction in (("0.25", 0.25), ("1", 0.25), ("1", 0.5), ("1", 1.0))
        }


def test_images_of_each_class_stand_in_place_of_a_fraction():
    study = made(images_per_class=[50, 20], search={"images_per_class": [20, 50]}, training={"batch_size": 32})
    assert [task.name for task in make_plan(study).tasks][:2] == [
        "weight-decay at 20 a class",
        "weight-decay at 50 a class",
    ]
    assert [study.images(size.fraction) for size in study.training_sets] == [200, 500]
    assert {(task.images_per_class, size.images_per_class) for task, size, _ in make_plan(study).confirmations} == {
        (20, 20),
        (50, 20),
        (50, 50),
    }


def test_the_best_trials_of_another_study_are_tried_first(tmp_path):
    from tune_reg.store import Results, Store

    (tmp_path / "study.toml").write_text(made().to_toml())
    store = Store(tmp_path, study_hash="0" * 16)
    told = [(0.9, "complete", 1e-3), (0.95, "complete", 1e-2), (0.99, "pruned", 1e-4), (0.97, "complete", 10.0)]
    for number, (value, state, decay) in enumerate(told):
        row = {"regularizer": "weight-decay", "trial": number, "state": state, "value": value, "fraction": 1.0}
        store.write("trials", str(number), [{**row, "params": {"weight_decay": decay, "learning_rate": 0.1}}])
    study = made().with_prior(Results(tmp_path))
    own = made().regularizers["weight-decay"].space.start
    assert study.regularizers["weight-decay"].space.start == (*own, {"weight_decay": 1e-2}, {"weight_decay": 1e-3})
    assert study.regularizers["adadecay"] == made().regularizers["adadecay"]
    assert study.hash != made().hash
    assert Study(**study.to_plain()).hash == study.hash


@pytest.mark.parametrize(
    ("given", "sampler", "pruner", "min_epochs"),
    [
        ({}, "knowledge-gradient", "none", 1),
        ({"min_epochs": 2}, "knowledge-gradient", "none", 2),
        ({"pruner": "pause"}, "knowledge-gradient", "pause", None),
        ({"pruner": "pause", "min_epochs": 2}, "knowledge-gradient", "pause", 2),
        ({"second_objective": {"kind": "epoch_time"}}, "knowledge-gradient", "pause", None),
        ({"pruner": "asha"}, "tpe-gp", "asha", 1),
        ({"sampler": "random"}, "random", "predicted", 1),
        ({"sampler": "tpe", "second_objective": {"kind": "epoch_time"}}, "tpe", "none", 1),
    ],
)
def test_sampler_pruner_and_first_rung_go_together_where_they_are_not_given(given, sampler, pruner, min_epochs):
    study = made(search=given)
    for read in (study, Study(**tomllib.loads(study.to_toml()))):
        search = read.search
        assert (search.sampler, search.pruner, search.min_epochs) == (sampler, pruner, min_epochs)


def test_choices_that_came_later_are_not_in_the_file_of_a_study_that_does_not_make_them():
    assert not {"prior", "budget"} & set(made().to_plain()["search"])
    other = made(search={"prior": False, "budget": "seconds"})
    assert (other.to_plain()["search"]["prior"], other.to_plain()["search"]["budget"]) == (False, "seconds")
    assert Study(**other.to_plain()).hash == other.hash != made().hash


def bounded(trial):
    rate = trial.suggest_float("learning_rate", 1e-3, 1.0, log=True)
    return {"learning_rate": rate, "weight_decay": trial.suggest_float("weight_decay", 1e-6, rate)}


def test_best_trials_that_do_not_fit_the_ranges_of_a_function_are_left_out(tmp_path):
    from tune_reg.store import Results, Store

    (tmp_path / "study.toml").write_text(made().to_toml())
    store = Store(tmp_path, study_hash="0" * 16)
    for number, (rate, decay) in enumerate([(0.5, 0.1), (0.01, 0.1)]):
        row = {"regularizer": "weight-decay", "trial": number, "state": "complete", "value": 0.9, "fraction": 1.0}
        params = {"learning_rate": rate, "weight_decay": decay}
        store.write("trials", str(number), [{**row, "params": params}])
    study = made(regularizers={"weight-decay": bounded}, baseline="weight-decay").with_prior(Results(tmp_path))
    assert study.regularizers["weight-decay"].space.start == ({"learning_rate": 0.5, "weight_decay": 0.1},)


def test_a_function_that_fails_is_one_line_with_its_place():
    def space(trial):
        trial.suggest_float("weight_decay", 0, 1)
        raise ValueError

    with pytest.raises(StudyError) as caught:
        made(regularizers={"weight-decay": space}, baseline="weight-decay")
    line = space.__code__.co_firstlineno + 2
    assert str(caught.value).startswith("regularizers.weight-decay.space: ")
    assert str(caught.value).endswith(f"space raised ValueError ({__file__}:{line})")
