import statistics

import pytest
import torch
from torch import nn

from tune_reg.evaluation import (
    CORRUPTIONS,
    RobustnessSettings,
    attacks,
    carlini_wagner,
    corrupt,
    deepfool,
    fast_gradient,
    gaussian_noise,
    pgd,
    robustness,
    salt_and_pepper,
    uniform_noise,
)
from tune_reg.store import SCHEMAS, Results, Store

EVERYTHING = RobustnessSettings(
    fgsm=[0.05, 0.1],
    pgd_linf=[0.05],
    pgd_l2=[0.5],
    cw_l2=[0.2, 0.5],
    deepfool_l2=[0.3],
    gaussian_noise=[0.1, 0.3],
    uniform_noise=[0.2],
    salt_noise=[0.1],
    corruptions=["all"],
)


@pytest.fixture(scope="module")
def quick(net):
    model, images, labels = net
    return model, images[:25], labels[:25]


@pytest.fixture(scope="module")
def rows(quick):
    return robustness(*quick, EVERYTHING, seed=3)


def share(mask):
    return mask.double().mean().item()


def test_there_is_a_row_for_each_test_and_a_clean_one_before(rows):
    assert [(row["test"], row["norm"], row["epsilon"], row["severity"]) for row in rows] == [
        *(("fgsm", "linf", epsilon, None) for epsilon in (0.0, 0.05, 0.1)),
        *(("pgd-linf", "linf", epsilon, None) for epsilon in (0.0, 0.05)),
        *(("pgd-l2", "l2", epsilon, None) for epsilon in (0.0, 0.5)),
        *(("cw-l2", "l2", epsilon, None) for epsilon in (0.0, 0.2, 0.5)),
        *(("deepfool-l2", "l2", epsilon, None) for epsilon in (0.0, 0.3)),
        *(("gaussian-noise", None, epsilon, None) for epsilon in (0.0, 0.1, 0.3)),
        *(("uniform-noise", None, epsilon, None) for epsilon in (0.0, 0.2)),
        *(("salt-noise", None, epsilon, None) for epsilon in (0.0, 0.1)),
        ("clean", None, 0.0, None),
        *((name, None, None, severity) for name in CORRUPTIONS for severity in (1, 2, 3, 4, 5)),
    ]


def test_accuracies_are_those_of_the_tests(rows, quick):
    model, images, labels = quick
    accuracies = {
        (row["test"], row["epsilon"] or row["severity"]): row["accuracy"] for row in rows if row["epsilon"] != 0
    }
    clean = share(attacks.correct(*quick))
    assert {row["accuracy"] for row in rows if row["epsilon"] == 0} == {clean}
    assert accuracies["fgsm", 0.1] == share(fast_gradient(*quick, [0.1]))
    assert accuracies["pgd-linf", 0.05] == share(pgd(*quick, [0.05], seed=3))
    assert accuracies["pgd-l2", 0.5] == share(pgd(*quick, [0.5], norm="l2", seed=3))
    near, far = carlini_wagner(*quick), deepfool(*quick)
    assert accuracies["cw-l2", 0.2] == share(near > 0.2)
    assert accuracies["cw-l2", 0.5] == share(near > 0.5)
    assert accuracies["deepfool-l2", 0.3] == share(far > 0.3)
    for test, strength, noise in (
        ("gaussian-noise", 0.3, gaussian_noise),
        ("uniform-noise", 0.2, uniform_noise),
        ("salt-noise", 0.1, salt_and_pepper),
    ):
        assert accuracies[test, strength] == share(attacks.correct(model, noise(images, strength, 3), labels))
    for name in CORRUPTIONS:
        assert accuracies[name, 4] == share(attacks.correct(model, corrupt(images, name, 4, 3), labels))
    medians = {row["test"]: row["median_distance"] for row in rows if row["epsilon"]}
    assert medians["cw-l2"] == statistics.median(near.tolist())
    assert medians["deepfool-l2"] == statistics.median(far.tolist())
    assert {value for test, value in medians.items() if not test.startswith(("cw", "deep"))} == {None}


def test_rows_fit_the_store(rows, tmp_path):
    assert {name for row in rows for name in row} <= set(SCHEMAS["robustness"].names)
    assert {row["n"] for row in rows} == {25}
    Store(tmp_path, study_hash="0").write("robustness", "key", rows)
    stored = Results(tmp_path).robustness().to_pylist()
    assert [{key: value for key, value in row.items() if key in rows[0]} for row in stored] == rows


def test_the_same_again_and_another_seed(quick):
    settings = RobustnessSettings(gaussian_noise=[0.2, 0.4, 0.6], salt_noise=[0.2, 0.3], corruptions=["shot-noise"])
    model, images, labels = quick
    seen = []
    hook = model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    for seed in (1, 1, 2):
        robustness(model, images, labels, settings, seed=seed)
    hook.remove()
    once = len(seen) // 3
    one, again, other = (seen[i * once : (i + 1) * once] for i in range(3))
    assert all(a.equal(b) for a, b in zip(one, again, strict=True))
    # Clean first, the rest is noise.
    assert one[0].equal(other[0])
    assert not any(a.equal(b) for a, b in zip(one[1:], other[1:], strict=True))


def test_warnings_stand_in_the_rows(quick):
    model, images, labels = quick

    class Rounded(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = model

        def forward(self, x):
            return self.net((8 * x).round() / 8 + 0 * x)

    settings = RobustnessSettings(fgsm=[0.1], pgd_linf=[0.1], deepfool_l2=[0.3], gaussian_noise=[0.1])
    rows = robustness(Rounded(), images, labels, settings)
    warned = {(row["test"], row["epsilon"]) for row in rows if row["warning"]}
    assert warned == {("fgsm", 0.1), ("pgd-linf", 0.1), ("deepfool-l2", 0.3)}
    assert all("gradients may be masked" in row["warning"] for row in rows if row["warning"])
    # Nothing was found for most images, so there is no median, and all count as robust.
    row = next(row for row in rows if row["test"] == "deepfool-l2" and row["epsilon"])
    assert row["median_distance"] is None
    assert row["accuracy"] == rows[0]["accuracy"]


def test_a_sound_model_has_no_warnings(rows):
    assert {row["warning"] for row in rows} == {None}


def test_nothing_asked_no_rows(quick):
    assert robustness(*quick, RobustnessSettings()) == []


def test_the_model_is_left_as_it_was(quick):
    model, images, labels = quick
    model.train()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    robustness(model, images, labels, RobustnessSettings(pgd_linf=[0.1], gaussian_noise=[0.1]))
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert torch.get_rng_state().equal(before)
