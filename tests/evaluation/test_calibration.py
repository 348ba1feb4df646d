import math

import numpy as np
import pytest
import torch

from tune_reg.evaluation import expected_calibration_error, negative_log_likelihood


def naive_error(probabilities, labels, bins):
    """Bin by bin, as the definition reads."""
    confidence, predicted = probabilities.max(1), probabilities.argmax(1)
    error = 0.0
    for b in range(1, bins + 1):
        inside = (confidence > (b - 1) / bins) & (confidence <= b / bins)
        if inside.any():
            gap = (predicted == labels)[inside].mean() - confidence[inside].mean()
            error += inside.mean() * abs(gap)
    return error


@pytest.mark.parametrize("bins", [1, 10, 15])
@pytest.mark.parametrize("sharpness", [0.1, 1.0, 10.0])
def test_calibration_error_is_its_definition(bins, sharpness):
    drawn = np.random.default_rng(0)
    logits = sharpness * drawn.standard_normal((500, 7))
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = drawn.integers(0, 7, 500)
    error = expected_calibration_error(torch.from_numpy(probabilities), torch.from_numpy(labels), bins=bins)
    assert error == pytest.approx(naive_error(probabilities, labels, bins), abs=1e-12)


def test_calibration_error_of_the_sure():
    sure = torch.eye(4)
    assert expected_calibration_error(sure, torch.arange(4)) == 0
    assert expected_calibration_error(sure, torch.tensor([1, 2, 3, 0])) == 1
    # Rounding may take a confidence a little beyond 1.
    assert expected_calibration_error(sure * (1 + 1e-7), torch.arange(4)) == pytest.approx(0, abs=1e-6)


def test_an_edge_belongs_to_the_bin_below():
    # 0.5 is in (0.25, 0.5] and 0.6 in (0.5, 0.75], so that their errors do not cancel.
    probabilities = torch.tensor([[0.5, 0.5], [0.4, 0.6]], dtype=torch.float64)
    error = expected_calibration_error(probabilities, torch.tensor([0, 0]), bins=4)
    assert error == pytest.approx((0.5 + 0.6) / 2)


def test_what_is_calibrated_has_a_small_error():
    drawn = torch.Generator().manual_seed(0)
    p = torch.rand(200_000, generator=drawn, dtype=torch.float64)
    labels = (torch.rand(200_000, generator=drawn, dtype=torch.float64) < p).long()
    assert expected_calibration_error(torch.stack([1 - p, p], 1), labels) < 0.005


def test_negative_log_likelihood_is_its_definition():
    logits = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(50) % 6
    rows = zip(logits.double().tolist(), labels.tolist(), strict=True)
    expected = math.fsum(math.log(math.fsum(math.exp(x) for x in row)) - row[label] for row, label in rows) / 50
    assert negative_log_likelihood(logits, labels) == pytest.approx(expected, rel=1e-12)
    assert negative_log_likelihood(1000 * logits, labels) < math.inf
