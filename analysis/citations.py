"""What a paper that uses a study has to cite besides its regularizers: BibTeX by what was used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from analysis.tables import Snapshot, mapping


class Citation(NamedTuple):
    """One method that the study used, and where it comes from."""

    method: str
    bibtex: str


def _entry(kind: str, key: str, **fields: str) -> str:
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines}\n}}"


_OPTUNA: Final = Citation(
    "Optuna (the search)",
    _entry(
        "inproceedings",
        "akiba2019optuna",
        title="Optuna: A Next-generation Hyperparameter Optimization Framework",
        author="Akiba, Takuya and Sano, Shotaro and Yanase, Toshihiko and Ohta, Takeru and Koyama, Masanori",
        booktitle="ACM SIGKDD International Conference on Knowledge Discovery and Data Mining",
        pages="2623--2631",
        year="2019",
        doi="10.1145/3292500.3330701",
    ),
)
_TUNE: Final = Citation(
    "Ray Tune (running the trials)",
    _entry(
        "article",
        "liaw2018tune",
        title="Tune: A Research Platform for Distributed Model Selection and Training",
        author="Liaw, Richard and Liang, Eric and Nishihara, Robert and Moritz, Philipp and Gonzalez, Joseph E. "
        "and Stoica, Ion",
        journal="arXiv preprint arXiv:1807.05118",
        year="2018",
    ),
)
_HALVING: Final = Citation(
    "Asynchronous successive halving (stopping trials early)",
    _entry(
        "inproceedings",
        "li2020system",
        title="A System for Massively Parallel Hyperparameter Tuning",
        author="Li, Liam and Jamieson, Kevin and Rostamizadeh, Afshin and Gonina, Ekaterina and Ben-tzur, Jonathan "
        "and Hardt, Moritz and Recht, Benjamin and Talwalkar, Ameet",
        booktitle="Proceedings of Machine Learning and Systems",
        volume="2",
        pages="230--246",
        year="2020",
    ),
)
_TPE: Final = Citation(
    "TPE (the sampler)",
    _entry(
        "inproceedings",
        "bergstra2011algorithms",
        title="Algorithms for Hyper-Parameter Optimization",
        author="Bergstra, James and Bardenet, R{\\'e}mi and Bengio, Yoshua and K{\\'e}gl, Bal{\\'a}zs",
        booktitle="Advances in Neural Information Processing Systems",
        volume="24",
        pages="2546--2554",
        year="2011",
    ),
)
_GP: Final = Citation(
    "Log expected improvement of a Gaussian process (the sampler)",
    _entry(
        "inproceedings",
        "ament2023unexpected",
        title="Unexpected Improvements to Expected Improvement for {B}ayesian Optimization",
        author="Ament, Sebastian and Daulton, Samuel and Eriksson, David and Balandat, Maximilian and Bakshy, Eytan",
        booktitle="Advances in Neural Information Processing Systems",
        volume="36",
        year="2023",
    ),
)
_SEARCH: Final = {
    ("sampler", "tpe"): (_TPE,),
    ("sampler", "gp"): (_GP,),
    ("sampler", "tpe-gp"): (_TPE, _GP),
    ("sampler", "random"): (
        Citation(
            "Random search (the sampler)",
            _entry(
                "article",
                "bergstra2012random",
                title="Random Search for Hyper-Parameter Optimization",
                author="Bergstra, James and Bengio, Yoshua",
                journal="Journal of Machine Learning Research",
                volume="13",
                pages="281--305",
                year="2012",
            ),
        ),
    ),
    ("pruner", "asha"): (_HALVING,),
    ("pruner", "predicted"): (_HALVING,),
    ("pruner", "hyperband"): (
        Citation(
            "Hyperband (stopping trials early)",
            _entry(
                "article",
                "li2018hyperband",
                title="Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization",
                author="Li, Lisha and Jamieson, Kevin and DeSalvo, Giulia and Rostamizadeh, Afshin "
                "and Talwalkar, Ameet",
                journal="Journal of Machine Learning Research",
                volume="18",
                number="185",
                pages="1--52",
                year="2018",
            ),
        ),
    ),
}
_FOOLBOX: Final = Citation(
    "Foolbox (running the attacks)",
    _entry(
        "article",
        "rauber2020foolbox",
        title="Foolbox Native: Fast adversarial attacks to benchmark the robustness of machine learning models in "
        "PyTorch, TensorFlow, and JAX",
        author="Rauber, Jonas and Zimmermann, Roland and Bethge, Matthias and Brendel, Wieland",
        journal="Journal of Open Source Software",
        volume="5",
        number="53",
        pages="2607",
        year="2020",
        doi="10.21105/joss.02607",
    ),
)
_ATTACKS: Final = {
    "fgsm": Citation(
        "FGSM",
        _entry(
            "inproceedings",
            "goodfellow2015explaining",
            title="Explaining and Harnessing Adversarial Examples",
            author="Goodfellow, Ian J. and Shlens, Jonathon and Szegedy, Christian",
            booktitle="International Conference on Learning Representations",
            year="2015",
        ),
    ),
    "pgd": Citation(
        "PGD",
        _entry(
            "inproceedings",
            "madry2018towards",
            title="Towards Deep Learning Models Resistant to Adversarial Attacks",
            author="Madry, Aleksander and Makelov, Aleksandar and Schmidt, Ludwig and Tsipras, Dimitris "
            "and Vladu, Adrian",
            booktitle="International Conference on Learning Representations",
            year="2018",
        ),
    ),
    "cw": Citation(
        "Carlini and Wagner's attack",
        _entry(
            "inproceedings",
            "carlini2017towards",
            title="Towards Evaluating the Robustness of Neural Networks",
            author="Carlini, Nicholas and Wagner, David",
            booktitle="IEEE Symposium on Security and Privacy",
            pages="39--57",
            year="2017",
            doi="10.1109/SP.2017.49",
        ),
    ),
    "deepfool": Citation(
        "DeepFool",
        _entry(
            "inproceedings",
            "moosavidezfooli2016deepfool",
            title="DeepFool: A Simple and Accurate Method to Fool Deep Neural Networks",
            author="Moosavi-Dezfooli, Seyed-Mohsen and Fawzi, Alhussein and Frossard, Pascal",
            booktitle="IEEE Conference on Computer Vision and Pattern Recognition",
            pages="2574--2582",
            year="2016",
            doi="10.1109/CVPR.2016.282",
        ),
    ),
}
_CORRUPTIONS: Final = Citation(
    "Common corruptions",
    _entry(
        "inproceedings",
        "hendrycks2019benchmarking",
        title="Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
        author="Hendrycks, Dan and Dietterich, Thomas",
        booktitle="International Conference on Learning Representations",
        year="2019",
    ),
)
_STATISTICS: Final = (
    Citation(
        "BCa bootstrap intervals",
        _entry(
            "article",
            "efron1987better",
            title="Better Bootstrap Confidence Intervals",
            author="Efron, Bradley",
            journal="Journal of the American Statistical Association",
            volume="82",
            number="397",
            pages="171--185",
            year="1987",
            doi="10.1080/01621459.1987.10478410",
        ),
    ),
    Citation(
        "Holm's correction",
        _entry(
            "article",
            "holm1979simple",
            title="A Simple Sequentially Rejective Multiple Test Procedure",
            author="Holm, Sture",
            journal="Scandinavian Journal of Statistics",
            volume="6",
            number="2",
            pages="65--70",
            year="1979",
        ),
    ),
)
#: Ranks over several studies.
RANKS: Final = (
    Citation(
        "Friedman's test",
        _entry(
            "article",
            "friedman1937use",
            title="The Use of Ranks to Avoid the Assumption of Normality Implicit in the Analysis of Variance",
            author="Friedman, Milton",
            journal="Journal of the American Statistical Association",
            volume="32",
            number="200",
            pages="675--701",
            year="1937",
            doi="10.1080/01621459.1937.10503522",
        ),
    ),
    Citation(
        "Average ranks and the critical difference",
        _entry(
            "article",
            "demsar2006statistical",
            title="Statistical Comparisons of Classifiers over Multiple Data Sets",
            author="Dem{\\v{s}}ar, Janez",
            journal="Journal of Machine Learning Research",
            volume="7",
            pages="1--30",
            year="2006",
        ),
    ),
)


def citations(data: Snapshot) -> tuple[Citation, ...]:
    """The regularizers' own references, in the report's order, and those of the search, the attacks and the tests."""
    found = [
        Citation(name, str(data.method(name)["reference"])) for name in data.regularizers if _reference(data, name)
    ]
    if data.trials:
        found += [_TUNE, _OPTUNA, *_searched(mapping(data.study.get("search")))]
    tests = sorted({row["test"] for row in data.robustness if row["test"] != "clean"})
    attacks = [_ATTACKS[name] for name in _ATTACKS if any(test.split("-")[0] == name for test in tests)]
    found += [_FOOLBOX, *attacks] if attacks else []
    if any(row["severity"] is not None for row in data.robustness):
        found.append(_CORRUPTIONS)
    return (*found, *(_STATISTICS if data.final else ()))


def _reference(data: Snapshot, name: str) -> bool:
    return bool(data.method(name).get("reference"))


def _searched(search: Mapping[str, Any]) -> list[Citation]:
    return [citation for (key, value), own in _SEARCH.items() if search.get(key) == value for citation in own]
