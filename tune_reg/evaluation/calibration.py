"""Calibration: whether a network is right as often as its confidence says."""

from __future__ import annotations

import torch
from torch import Tensor


def expected_calibration_error(probabilities: Tensor, labels: Tensor, *, bins: int = 15) -> float:
    """The expected calibration error: how far confidence and accuracy differ, in the mean over bins of confidence.

    ``sum_b n_b / N |accuracy_b - mean confidence_b|`` over bins of equal width, in float64. Confidence is the largest
    probability; bin ``b`` of ``B`` holds those in ``((b - 1)/B, b/B]``. ``probabilities``: [N, M], rows that sum to 1;
    ``labels``: int64 [N]. Returns a share in [0, 1].

    Source: Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017.

    >>> probabilities = torch.tensor([[0.75, 0.25], [0.75, 0.25], [0.75, 0.25], [0.25, 0.75]])
    >>> expected_calibration_error(probabilities, torch.tensor([0, 0, 1, 0]))  # says 75 % sure, is right in 50 %
    0.25
    """
    confidence, predicted = probabilities.double().max(1)
    bin_index = (confidence * bins).ceil().long().clamp(1, bins) - 1
    # n_b (accuracy_b - confidence_b) is the sum of the differences: no empty bin to divide by.
    gap = (predicted == labels).double() - confidence
    sums = torch.zeros(bins, dtype=torch.float64, device=gap.device).index_add_(0, bin_index, gap)
    return float(sums.abs().sum()) / len(labels)


def negative_log_likelihood(logits: Tensor, labels: Tensor) -> float:
    """The mean cross-entropy ``- mean log softmax(logits)[label]``, in float64 and nats.

    ``logits``: [N, M]; ``labels``: int64 [N].

    >>> round(negative_log_likelihood(torch.zeros(3, 4), torch.tensor([0, 1, 2])), 6)  # log 4
    1.386294
    """
    return float(torch.nn.functional.cross_entropy(logits.double(), labels))
