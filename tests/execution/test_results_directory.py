import json
from contextlib import nullcontext

import pytest

from tune_reg import Study
from tune_reg.data import load as load_data
from tune_reg.errors import StoreError
from tune_reg.execution.results_directory import as_begun, claim, refuse_another_study, refuse_other_data


def study(**keys):
    plain = {
        "name": "d",
        "dataset": "digits",
        "model": "nn-2-small",
        "regularizers": {"weight-decay": {}, "adadecay": {"alpha": 4.0}},
        "fractions": [0.5, 1.0],
        "search": {"trials": 4, "fractions": [1.0]},
        "training": {"batch_size": 32},
        "confirm": {"seeds": 5},
    }
    return Study(**{**plain, **keys})


GROWN = {
    "trials": {"search": {"trials": 5, "fractions": [1.0]}},
    "seeds": {"confirm": {"seeds": 6}},
    "a training set": {"fractions": [0.25, 0.5, 1.0]},
    "a searched training set": {"search": {"trials": 4, "fractions": [0.5, 1.0]}},
    "a regularizer": {"regularizers": {"weight-decay": {}, "l1": {}, "adadecay": {"alpha": 4.0}}},
    "robustness": {"robustness": {"fgsm": [0.1]}},
    "resources": {"resources": {"cpus": 2}},
    "the baseline": {"baseline": "adadecay"},
}
OTHER = {
    "fewer trials": (
        {"search": {"trials": 3, "fractions": [1.0]}},
        "search.trials is 4 there and can only grow, but is 3",
    ),
    "a training set less": ({"fractions": [1.0]}, "fractions is [0.5, 1.0] there and can only grow"),
    "a regularizer less": (
        {"regularizers": {"weight-decay": {}}, "baseline": "weight-decay"},
        "regularizers.adadecay.",
    ),
    "another space": (
        {"regularizers": {"weight-decay": {}, "adadecay": {"alpha": 3.0}}},
        "regularizers.adadecay.alpha is 4.0 there and 3.0 here",
    ),
    "epochs": ({"training": {"epochs": 11, "batch_size": 32}}, "training.epochs is 10 there and 11 here"),
    "seed": ({"seed": 1}, "seed is 0 there and 1 here"),
    "fewer seeds": ({"confirm": {"seeds": 4}}, "confirm.seeds is 5 there and can only grow, but is 4 here"),
    "a margin": ({"confirm": {"seeds": 5, "margin": 0.01}}, "confirm.margin is 'absent' there and 0.01 here"),
    "protocol": ({"protocol": "paper"}, "protocol is 'validation' there and 'paper' here"),
}


@pytest.mark.parametrize("case", GROWN)
def test_a_study_that_asks_for_more_goes_on_and_takes_the_directory_over(case, tmp_path):
    claim(tmp_path, study())
    grown = study(**GROWN[case])
    refuse_another_study(tmp_path, grown)
    claim(tmp_path, grown)
    assert Study.from_toml(tmp_path / "study.toml").hash == grown.hash


@pytest.mark.parametrize("case", OTHER)
def test_another_study_is_refused_with_what_differs(case, tmp_path):
    claim(tmp_path, study())
    changes, difference = OTHER[case]
    with pytest.raises(StoreError) as caught:
        refuse_another_study(tmp_path, study(**changes))
    assert difference in str(caught.value)
    assert "\n" not in str(caught.value)


def test_data_that_changed_are_refused_by_name(tmp_path):
    dataset = load_data("digits")
    refuse_other_data(tmp_path, dataset)
    for md5, refused in ((dataset.md5, False), ("0" * 32, True)):
        (tmp_path / "provenance.json").write_text(json.dumps({"data": {"md5": md5}}))
        with pytest.raises(StoreError, match="data of digits have changed") if refused else nullcontext():
            refuse_other_data(tmp_path, dataset)


def test_a_study_goes_on_with_the_number_of_seeds_that_it_was_begun_with_where_it_names_none(tmp_path):
    in_rounds = study(confirm={})
    assert as_begun(tmp_path, in_rounds).confirm.seeds is None, "nothing was begun"
    claim(tmp_path, study())
    goes_on = as_begun(tmp_path, in_rounds)
    assert goes_on.hash == study().hash
    refuse_another_study(tmp_path, goes_on)
    assert as_begun(tmp_path, study(confirm={"seeds": 9})).confirm.seeds == 9
    with pytest.raises(StoreError, match=r"confirm\.margin is 'absent' there and 0.01 here"):
        refuse_another_study(tmp_path, as_begun(tmp_path, study(confirm={"margin": 0.01})))


def test_what_is_begun_in_rounds_goes_on_in_rounds(tmp_path):
    claim(tmp_path, study(confirm={}))
    refuse_another_study(tmp_path, as_begun(tmp_path, study(confirm={})))
    with pytest.raises(StoreError, match=r"confirm\.seeds is 'absent' there and 20 here"):
        refuse_another_study(tmp_path, as_begun(tmp_path, study(confirm={"seeds": 20})))


def searched_with(**search):
    return study(search={"trials": 4, "fractions": [1.0], **search})


def choices(of):
    return of.search.sampler, of.search.pruner, of.search.min_epochs


@pytest.mark.parametrize(
    "begun", [{"sampler": "tpe-gp", "pruner": "predicted", "min_epochs": 2}, {"sampler": "random"}, {}]
)
def test_a_study_goes_on_with_the_search_that_it_was_begun_with_where_it_names_none(tmp_path, begun):
    claim(tmp_path, searched_with(**begun))
    goes_on = as_begun(tmp_path, searched_with())
    assert choices(goes_on) == choices(searched_with(**begun))
    refuse_another_study(tmp_path, goes_on)
    assert goes_on.hash == searched_with(**begun).hash
    grown = as_begun(tmp_path, study(search={"trials": 9, "fractions": [1.0]}))
    assert (choices(grown), grown.search.trials) == (choices(goes_on), 9)


@pytest.mark.parametrize("named", [{}, {"sampler": "knowledge-gradient"}])
def test_a_directory_begun_when_pauses_were_the_default_goes_on_with_them(tmp_path, named):
    """Also where the study names the sampler, which is what it was, and no pruner. Its hash is what it was then."""
    claim(tmp_path, searched_with(pruner="pause"))
    now = searched_with(**named)
    assert choices(now) == ("knowledge-gradient", "none", 1)
    goes_on = as_begun(tmp_path, now)
    assert choices(goes_on) == ("knowledge-gradient", "pause", None)
    assert goes_on.hash == "9eaec876cd37dd9a"
    refuse_another_study(tmp_path, goes_on)
    claim(tmp_path, goes_on)
    assert choices(as_begun(tmp_path, searched_with(**named))) == ("knowledge-gradient", "pause", None)
    with pytest.raises(StoreError, match=r"search\.pruner is 'pause' there and 'none' here"):
        refuse_another_study(tmp_path, as_begun(tmp_path, searched_with(pruner="none")))


def test_a_directory_begun_with_pauses_and_a_first_rung_of_its_own_goes_on_with_both(tmp_path):
    claim(tmp_path, searched_with(pruner="pause", min_epochs=3))
    goes_on = as_begun(tmp_path, searched_with(min_epochs=3))
    assert choices(goes_on) == ("knowledge-gradient", "pause", 3)
    assert goes_on.hash == "56e45fce8973fdfb"


def test_a_directory_begun_without_pauses_goes_on_without(tmp_path):
    claim(tmp_path, searched_with())
    goes_on = as_begun(tmp_path, searched_with())
    assert (choices(goes_on), goes_on.hash) == (choices(searched_with()), searched_with().hash)


def test_a_study_that_names_its_search_is_taken_at_its_word(tmp_path):
    named = searched_with(sampler="tpe")
    assert as_begun(tmp_path, named) is named, "nothing was begun"
    claim(tmp_path, searched_with(sampler="random"))
    assert choices(as_begun(tmp_path, named)) == choices(named)
    with pytest.raises(StoreError, match=r"search.sampler is 'random' there and 'tpe' here"):
        refuse_another_study(tmp_path, as_begun(tmp_path, named))
    own_rung = as_begun(tmp_path, searched_with(min_epochs=3))
    assert choices(own_rung) == ("random", "predicted", 3)
