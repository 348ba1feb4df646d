"""Studies of one made-up method whose true accuracy is known: its searches, and its confirmed runs on paired seeds."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from search_spaces import SearchSpace, loguniform
from tune_reg.store.metric import ACCURACY

Array = NDArray[np.float64]

EPOCHS: Final = 9
TEST_IMAGES: Final = 10_000
#: Standard deviations in points: of a seed's level, of what it does to each strength smoothly, and of the rest.
_LEVEL, _SMOOTH, _ROUGH = 0.8, 0.4, 0.3
#: Features of a seed's smooth part, and its length scale in the unit cube.
_FEATURES: Final = 64
_LENGTH: Final = 0.3
#: Confirmed runs have other seeds than the search.
_CONFIRMED: Final = 1000


class MadeUpStudy:
    """A method with a true accuracy of about 95 % over its strength, and over a learning rate beside it.

    The best strength, how much it is worth (0.3 to 1.5 points) and how fast the accuracy falls beyond it are drawn for
    each study; a third of the way, strong settings are behind. A training has the level of its seed, a smooth and a
    rough part of its seed and configuration, and the error of its validation or test images, as if those of each
    training were drawn anew. ``images``: validation images. The object is a problem as ``_search`` searches it.
    """

    regularizer = "made-up"
    epochs = EPOCHS
    metric = ACCURACY
    test_images = TEST_IMAGES

    def __init__(self, number: int, *, dims: int, images: int) -> None:
        rng = np.random.default_rng([number, dims])
        self.name = f"study {number}"
        names = ("strength", "learning_rate")[:dims]
        self.space = SearchSpace({name: loguniform(1e-4, 1.0) for name in names})
        self._number, self._images = number, images
        self._best = rng.uniform([0.15, 0.3], [0.85, 0.7])
        self._gain, self._width = rng.uniform(0.3, 1.5), rng.uniform(0.15, 0.35)

    def accuracy(self, units: Array) -> Array:
        """True test accuracy [n] of configurations [n, d], mean over seeds, as a share."""
        off = units - self._best[: units.shape[1]]
        points = 95 + self._gain * np.exp(-0.5 * (off[:, 0] / self._width) ** 2)
        points -= 20 * np.maximum(off[:, 0] - 0.15, 0) ** 2
        if units.shape[1] > 1:
            points -= 15 * (off[:, 1] + 0.3 * off[:, 0]) ** 2
        return np.asarray(points / 100)

    def regret(self, unit: Array | None) -> float:
        """How far a configuration lies below the best one, in points."""
        assert unit is not None
        grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 201)] * len(unit)), axis=-1).reshape(-1, len(unit))
        return 100 * float(self.accuracy(grid).max() - self.accuracy(unit[None])[0])

    def bias(self, unit: Array | None) -> float:
        """The picked strength minus the best one, in units of the range."""
        assert unit is not None
        return float(unit[0] - self._best[0])

    def training(self, unit: Array, replay: int, number: int, seed: int) -> Array:
        """Validation accuracy after each epoch of trial ``number`` of search ``replay``."""
        rng = np.random.default_rng([self._number, replay, number, seed])
        final = self._trained(unit, seed, rng)
        behind = 1 / np.arange(1, EPOCHS + 1) - 1 / EPOCHS
        curve = final - (0.06 + 0.05 * unit[0]) * behind + 0.003 * behind * rng.standard_normal()
        return self._measured(curve, self._images, rng)

    def confirmed(self, unit: Array, arm: int, seeds: int) -> Array:
        """Test accuracy [seeds] of a configuration that is trained anew; the seeds of all ``arm``s are the same."""
        rng = np.random.default_rng([self._number, arm, seeds])
        trained = np.array([self._trained(unit, _CONFIRMED + seed, rng) for seed in range(seeds)])
        return self._measured(trained, TEST_IMAGES, rng)

    def _trained(self, unit: Array, seed: int, rng: np.random.Generator) -> float:
        of_seed = np.random.default_rng([self._number, seed])
        waves = of_seed.standard_normal((_FEATURES, len(unit))) / _LENGTH
        smooth = np.sqrt(2 / _FEATURES) * np.cos(waves @ unit + of_seed.uniform(0, 2 * np.pi, _FEATURES))
        points = _LEVEL * of_seed.standard_normal() + _SMOOTH * float(smooth @ of_seed.standard_normal(_FEATURES))
        return float(self.accuracy(unit[None])[0]) + (points + _ROUGH * rng.standard_normal()) / 100

    @staticmethod
    def _measured(accuracy: Array, images: int, rng: np.random.Generator) -> Array:
        return np.asarray(rng.binomial(images, np.clip(accuracy, 0, 1)) / images)
