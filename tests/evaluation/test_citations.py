import pytest

from tune_reg.evaluation import ATTACKS, NOISES, RobustnessSettings, citations
from tune_reg.references import bibtex

#: The method lines of a report in their order, and the publications.
LINES = [
    ("Foolbox (running the attacks)", "rauber2020foolbox"),
    ("FGSM", "goodfellow2015explaining"),
    ("PGD", "madry2018towards"),
    ("Carlini and Wagner's attack", "carlini2017towards"),
    ("DeepFool", "moosavidezfooli2016deepfool"),
    ("AutoAttack", "croce2020reliable"),
    ("FAB, an attack of AutoAttack", "croce2020minimally"),
    ("Square, an attack of AutoAttack", "andriushchenko2020square"),
    ("Common corruptions", "hendrycks2019benchmarking"),
]

ENSEMBLE = ["AutoAttack", "FAB, an attack of AutoAttack", "Square, an attack of AutoAttack"]


def test_all_tests_are_cited_in_the_order_of_the_report():
    every = RobustnessSettings(
        **{attack.key: [0.1] for attack in ATTACKS}, **{noise.key: [0.1] for noise in NOISES}, corruptions=["all"]
    )
    assert citations(every) == [(method, bibtex(key)) for method, key in LINES]


@pytest.mark.parametrize(
    ("settings", "methods"),
    [
        ({}, []),
        ({"gaussian_noise": [0.1], "salt_noise": [0.1]}, []),
        ({"corruptions": ["jpeg"]}, ["Common corruptions"]),
        ({"autoattack_l2": [0.5]}, ENSEMBLE),
        ({"pgd_l2": [0.5]}, ["Foolbox (running the attacks)", "PGD"]),
        ({"deepfool_l2": [0.5], "fgsm": [0.1]}, ["Foolbox (running the attacks)", "FGSM", "DeepFool"]),
    ],
)
def test_only_what_is_asked_for_is_cited(settings, methods):
    assert [method for method, _ in citations(RobustnessSettings(**settings))] == methods


def test_every_attack_and_noise_is_a_key_of_the_settings_and_no_other_key_is_a_test():
    keys = [test.key for test in (*ATTACKS, *NOISES)]
    others = ("corruptions", "images", "autoattack_images")
    assert keys == [key for key in RobustnessSettings.model_fields if key not in others]
    assert all(test.description for test in (*ATTACKS, *NOISES))
