"""The robustness tests that a study asks for: the ``[robustness]`` table."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tune_reg.errors import did_you_mean
from tune_reg.evaluation.attacks import ATTACKS
from tune_reg.evaluation.corruptions import CORRUPTIONS
from tune_reg.evaluation.noise import NOISES

#: Linf radii on images in [0, 1] over which nets that are not trained against attacks go from good accuracy to none.
#: Each list reaches the radius that is usual in publications: 0.3 on MNIST, 0.1 on Fashion-MNIST, 8/255 on CIFAR.
#: The radii are suggestions, and no default: a study says itself what it tests.
LINF_RADII: Final[dict[str, tuple[float, ...]]] = {
    "mnist": (0.02, 0.05, 0.1, 0.15, 0.2, 0.3),
    "fashion-mnist": (0.005, 0.01, 0.02, 0.05, 0.1),
    "cifar10": (0.5 / 255, 1 / 255, 2 / 255, 4 / 255, 8 / 255),
    "cifar100": (0.5 / 255, 1 / 255, 2 / 255, 4 / 255, 8 / 255),
}

Linf = Annotated[float, Field(gt=0, le=1)]
L2 = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Strength = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]

#: As many radii or strengths as a figure can show; each costs its share of the test.
_MOST: Final = 100
Linfs = Annotated[list[Linf], Field(max_length=_MOST)]
L2s = Annotated[list[L2], Field(max_length=_MOST)]
Strengths = Annotated[list[Strength], Field(max_length=_MOST)]
Shares = Annotated[list[Share], Field(max_length=_MOST)]

#: The keys that hold lists of radii or strengths.
_STRENGTHS: Final = tuple(test.key for test in (*ATTACKS, *NOISES))


class RobustnessSettings(BaseModel):
    """The ``[robustness]`` table of a study: the tests of each confirmed run. A test that is not given is off.

    Radii and strengths are in units of images in [0, 1]; of floats that are no images of bytes, in units of the data's
    range, which is that of each feature where an example is a vector. L2 radii grow with the image (the root of its
    number of values); 0.5 is usual on CIFAR, and the median distance that ``deepfool_l2`` gives shows where to look
    elsewhere.

    >>> RobustnessSettings(pgd_linf=[0.1, 0.05]).pgd_linf
    [0.05, 0.1]
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    #: Linf radii of the fast gradient sign method.
    fgsm: Linfs = []
    #: Linf radii of projected gradient descent.
    pgd_linf: Linfs = []
    #: L2 radii of projected gradient descent.
    pgd_l2: L2s = []
    #: L2 radii at which the distances found by Carlini and Wagner's attack are read: 1,000 gradient steps an image,
    #: however many radii; PGD takes 40 for each.
    cw_l2: L2s = []
    #: L2 radii at which the distances found by DeepFool are read.
    deepfool_l2: L2s = []
    #: Linf radii of AutoAttack, which takes 120 to 180 times as long as PGD on images that withstand it.
    autoattack_linf: Linfs = []
    #: L2 radii of AutoAttack.
    autoattack_l2: L2s = []
    #: Test images that AutoAttack attacks, the first of those of the other tests; all where there are fewer.
    autoattack_images: Annotated[int, Field(ge=1, le=10**9)] = 100
    #: Standard deviations of Gaussian noise.
    gaussian_noise: Strengths = []
    #: Half widths of uniform noise.
    uniform_noise: Shares = []
    #: Shares of the values set to 0 or 1.
    salt_noise: Shares = []
    #: Names of corruptions, each at severities 1 to 5; ``["all"]`` for all of them.
    corruptions: Annotated[list[str], Field(max_length=_MOST)] = []
    #: Test images; all where there are fewer.
    images: Annotated[int, Field(ge=1, le=10**9)] = 1000

    @field_validator(*_STRENGTHS)
    @classmethod
    def _distinct(cls, value: list[float]) -> list[float]:
        if len(set(value)) != len(value):
            raise ValueError(f"must differ, but got {value}")
        return sorted(value)

    @field_validator("corruptions")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        if value == ["all"]:
            return list(CORRUPTIONS)
        if "all" in value:
            raise ValueError(f'"all" must stand alone, but got {value}')
        for name in value:
            if name not in CORRUPTIONS:
                raise ValueError(f"unknown corruption {name!r}{did_you_mean(name, ['all', *CORRUPTIONS])}")
        if len(set(value)) != len(value):
            raise ValueError(f"must differ, but got {value}")
        # In a fixed order, so that the hash of the study does not depend on the order given.
        return [name for name in CORRUPTIONS if name in value]

    @property
    def empty(self) -> bool:
        """Whether the settings ask for no test at all.

        >>> RobustnessSettings(images=10).empty, RobustnessSettings(corruptions=["jpeg"]).empty
        (True, False)
        """
        return not any(getattr(self, key) for key in (*_STRENGTHS, "corruptions"))
