"""What results of 0.1 used, whose provenance has no list of citations."""

from __future__ import annotations

from typing import Final

from analysis.measures.attacks import CLEAN
from analysis.snapshot import Snapshot, mapping
from analysis.statistics.publications import Publication

_TUNE: Final = Publication("Ray Tune (running the trials)", "liaw2018tune")
_OPTUNA: Final = Publication("Optuna (the search)", "akiba2019optuna")
_TPE: Final = Publication("TPE (the sampler)", "bergstra2011algorithms")
_GP: Final = Publication("Log expected improvement of a Gaussian process (the sampler)", "ament2023unexpected")
_RANDOM: Final = Publication("Random search (the sampler)", "bergstra2012random")
_HALVING: Final = Publication("Asynchronous successive halving (stopping trials early)", "li2020system")
_HYPERBAND: Final = Publication("Hyperband (stopping trials early)", "li2018hyperband")
_SAMPLERS: Final = {"tpe": (_TPE,), "gp": (_GP,), "tpe-gp": (_TPE, _GP), "random": (_RANDOM,)}
_PRUNERS: Final = {"asha": _HALVING, "predicted": _HALVING, "hyperband": _HYPERBAND}
_FOOLBOX: Final = Publication("Foolbox (running the attacks)", "rauber2020foolbox")
#: By the first word of the attack's name.
_ATTACKS: Final = {
    "fgsm": Publication("FGSM", "goodfellow2015explaining"),
    "pgd": Publication("PGD", "madry2018towards"),
    "cw": Publication("Carlini and Wagner's attack", "carlini2017towards"),
    "deepfool": Publication("DeepFool", "moosavidezfooli2016deepfool"),
}
_CORRUPTIONS: Final = Publication("Common corruptions", "hendrycks2019benchmarking")


def used_by_0_1(data: Snapshot) -> list[Publication]:
    """What the rows and the settings of a study say that it used: search, attacks, corruptions."""
    used: list[Publication] = []
    if data.trials:
        search = mapping(data.study.get("search"))
        used += [_TUNE, _OPTUNA, *_SAMPLERS.get(str(search.get("sampler")), ())]
        used += [publication for name, publication in _PRUNERS.items() if search.get("pruner") == name]
    attacks = {row["test"].split("-")[0] for row in data.robustness if row["test"] != CLEAN}
    if attacks & _ATTACKS.keys():
        used += [_FOOLBOX, *(publication for name, publication in _ATTACKS.items() if name in attacks)]
    if any(row["severity"] is not None for row in data.robustness):
        used.append(_CORRUPTIONS)
    return used
