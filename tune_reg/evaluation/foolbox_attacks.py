"""The attacks of foolbox that ``attacks`` runs, and its descent from starts that are given.

Importing foolbox takes its time, so this module is imported when the first attack runs.
"""

from __future__ import annotations

import warnings
from typing import Any, Final

from torch import Tensor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # foolbox imports what its dependencies deprecate
    from foolbox.attacks.carlini_wagner import L2CarliniWagnerAttack
    from foolbox.attacks.deepfool import L2DeepFoolAttack
    from foolbox.attacks.fast_gradient_method import L2FastGradientAttack, LinfFastGradientAttack
    from foolbox.attacks.projected_gradient_descent import (
        L2ProjectedGradientDescentAttack,
        LinfProjectedGradientDescentAttack,
    )
    from foolbox.models.pytorch import PyTorchModel


class _FromStarts:
    """foolbox's descent from starts that were drawn for all images at once, so that batches do not change them."""

    #: The starts of the batch that is attacked, in the unit ball.
    starts: Tensor

    def get_random_start(self, x0: Any, epsilon: float) -> Any:
        """The start of each image: the image, moved by ``epsilon`` times its point in the unit ball."""
        return x0 + epsilon * type(x0)(self.starts)


class LinfDescentFromStarts(_FromStarts, LinfProjectedGradientDescentAttack):
    """Projected gradient descent in Linf from given starts."""


class L2DescentFromStarts(_FromStarts, L2ProjectedGradientDescentAttack):
    """Projected gradient descent in L2 from given starts."""


#: The class of each attack, by norm.
FAST_GRADIENT: Final[dict[str, type[Any]]] = {"linf": LinfFastGradientAttack, "l2": L2FastGradientAttack}
DESCENT: Final[dict[str, type[Any]]] = {"linf": LinfDescentFromStarts, "l2": L2DescentFromStarts}

__all__ = ["DESCENT", "FAST_GRADIENT", "L2CarliniWagnerAttack", "L2DeepFoolAttack", "PyTorchModel"]
