import subprocess
import sys

import pytest

import tune_reg.evaluation
from tune_reg import Study
from tune_reg.errors import StudyError
from tune_reg.evaluation import CORRUPTIONS, LINF_RADII, RobustnessSettings


def study(**robustness):
    return Study(name="x", dataset="digits", model="nn-2", regularizers=["weight-decay"], robustness=robustness)


def test_all_is_off():
    assert RobustnessSettings().empty
    assert RobustnessSettings().images == 1000
    assert not any(RobustnessSettings().model_dump(exclude={"images", "autoattack_images"}).values())


@pytest.mark.parametrize(
    "key", [key for key in RobustnessSettings.model_fields if not key.endswith("images") and key != "corruptions"]
)
def test_strengths_are_sorted_and_survive_the_file(key, tmp_path):
    asked = study(**{key: [0.5, 0.1]})
    assert getattr(asked.robustness, key) == [0.1, 0.5]
    assert not asked.robustness.empty
    path = tmp_path / "study.toml"
    path.write_text(asked.to_toml())
    assert Study.from_toml(path) == asked
    for wrong, message in (
        ([0.1, 0.1], f"robustness.{key}: must differ, but got [0.1, 0.1]"),
        ([0.1, -0.1], f"robustness.{key}.1: must be greater than 0, but got -0.1"),
        ([float("nan")], f"robustness.{key}.0: must be "),
        ([float("inf")], f"robustness.{key}.0: must be "),
        (["0.1"], f"robustness.{key}.0: must be a valid number, but got '0.1'"),
        (0.1, f"robustness.{key}: must be a valid list, but got 0.1"),
    ):
        with pytest.raises(StudyError) as caught:
            study(**{key: wrong})
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["fgsm", "pgd_linf", "uniform_noise", "salt_noise"])
def test_what_can_be_no_larger_than_1(key):
    with pytest.raises(StudyError, match=rf"^robustness\.{key}\.0: must be less than or equal to 1, but got 1\.5$"):
        study(**{key: [1.5]})


@pytest.mark.parametrize("key", ["pgd_l2", "cw_l2", "deepfool_l2", "gaussian_noise"])
def test_what_can_be_larger_than_1(key):
    assert getattr(study(**{key: [1.5]}).robustness, key) == [1.5]


def test_corruptions_are_named():
    assert study(corruptions=["all"]).robustness.corruptions == list(CORRUPTIONS)
    assert study(corruptions=["all"]).hash == study(corruptions=list(reversed(CORRUPTIONS))).hash
    assert study(corruptions=["jpeg", "shot-noise"]).robustness.corruptions == ["shot-noise", "jpeg"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["jpg"], "unknown corruption 'jpg'; did you mean 'jpeg'? known: all, gaussian-noise, "),
        (["gaussian_blur"], "unknown corruption 'gaussian_blur'; did you mean 'gaussian-blur'? known: "),
        (["all", "jpeg"], "\"all\" must stand alone, but got ['all', 'jpeg']"),
        (["jpeg", "jpeg"], "must differ, but got ['jpeg', 'jpeg']"),
    ],
)
def test_wrong_names_are_one_line(names, message):
    with pytest.raises(StudyError) as caught:
        study(corruptions=names)
    assert str(caught.value).startswith(f"robustness.corruptions: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dataset", LINF_RADII)
def test_radii_to_begin_with_are_valid(dataset):
    assert tuple(RobustnessSettings(pgd_linf=list(LINF_RADII[dataset])).pgd_linf) == LINF_RADII[dataset]


def test_neither_a_study_nor_citations_need_foolbox():
    code = (
        "import sys; from tune_reg import Study;"
        "from tune_reg.evaluation import RobustnessSettings, citations, robustness_rows, corrupt;"
        "assert len(citations(RobustnessSettings(pgd_linf=[0.1]))) == 2;"
        "assert not {'foolbox', 'eagerpy', 'PIL', 'ray'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_public_names_are_there():
    for name in tune_reg.evaluation.__all__:
        thing = getattr(tune_reg.evaluation, name)
        assert getattr(thing, "__name__", name) == name


def test_a_study_without_autoattack_is_what_it_was_before_there_was_one():
    assert "autoattack" not in study(fgsm=[0.1]).to_toml()
    asked = study(autoattack_l2=[0.5], autoattack_images=30)
    assert Study(**asked.to_plain()) == asked
    assert len({study().hash, study(autoattack_l2=[0.5]).hash, asked.hash}) == 3
