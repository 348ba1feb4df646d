"""Each formulation is K separate convolutions, in its values and in its derivatives of first and second order."""

import pytest
import torch
from convolution_layers import LAYERS, derivatives, distance, separate, tensors_of

from tune_reg.training.lanes.convolutions import FORMULATIONS, Geometry, Layer, candidates, measure
from tune_reg.training.lanes.convolutions.geometry import geometry_of
from tune_reg.training.precision import products

#: Triton's kernels need a device or an interpreter: test_implicit_gemm.py.
ANYWHERE = [name for name in FORMULATIONS if not name.startswith("implicit GEMM")]
GPU = torch.device("cuda")


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", ANYWHERE)
def test_a_formulation_is_separate_convolutions(name, layer, shared):
    tensors, geometry = tensors_of(layer, shared), LAYERS[layer][-1]
    outputs, *gradients = derivatives(FORMULATIONS[name], tensors, geometry)
    reference = derivatives(separate, tensors, geometry)
    assert outputs.shape == reference[0].shape
    assert distance([outputs, *gradients], reference) < 1e-13


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", ANYWHERE)
def test_gradients_are_those_of_finite_differences(name, shared):
    tensors, geometry = tensors_of("odd", shared), LAYERS["odd"][-1]

    def function(*tensors):
        return FORMULATIONS[name](*tensors, geometry)

    assert torch.autograd.gradcheck(function, tensors, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, tensors, fast_mode=True)


@pytest.mark.parametrize("name", ANYWHERE)
def test_a_bias_may_be_missing(name):
    inputs, weights, bias = tensors_of("odd")
    outputs = FORMULATIONS[name](inputs, weights, None, LAYERS["odd"][-1])
    assert torch.allclose(outputs, separate(inputs, weights, torch.zeros_like(bias), LAYERS["odd"][-1]))


def test_the_output_size_is_that_of_torch():
    for _, images, weights, geometry in LAYERS.values():
        outputs = torch.conv2d(torch.zeros(images), torch.zeros(weights), None, *geometry)
        assert geometry.output_size(images[2:], weights[2:]) == outputs.shape[2:]


@pytest.mark.parametrize(
    ("arguments", "geometry"),
    [
        ({}, Geometry()),
        ({"stride": [2], "padding": (1,), "dilation": 3}, Geometry((2, 2), (1, 1), (3, 3))),
        ({"padding": "valid", "groups": 2}, Geometry(groups=2)),
        ({"padding": "same", "dilation": (2, 1)}, Geometry(padding=(2, 2), dilation=(2, 1))),
    ],
)
def test_arguments_are_read_as_torch_reads_them(arguments, geometry):
    """The kernel is 3 x 5."""
    assert geometry_of((3, 5), **arguments) == geometry
    images, weights = torch.randn(2, 4, 9, 11), torch.randn(6, 4 // geometry.groups, 3, 5)
    assert torch.equal(
        torch.conv2d(images, weights, None, *geometry), torch.nn.functional.conv2d(images, weights, **arguments)
    )


def test_patches_that_would_fill_the_device_are_no_candidate():
    layer = Layer(64, (128, 20, 12, 12), (50, 20, 5, 5), Geometry(), torch.float32)
    patches = 64 * 128 * 20 * 5 * 5 * 8 * 8 * 4
    assert "im2col" in candidates(layer, 32 * patches)
    assert "im2col" not in candidates(layer, 32 * patches - 1)
    assert "im2col" in candidates(layer._replace(shared=True), patches // 2)


def test_our_kernel_is_a_candidate_without_groups_where_triton_is(monkeypatch):
    layer = Layer(2, (8, 4, 5, 5), (4, 4, 3, 3), Geometry(), torch.bfloat16)
    monkeypatch.setattr("tune_reg.training.lanes.convolutions.formulations.is_available", lambda: True)
    assert "implicit GEMM" in candidates(layer, 2**34)
    assert candidates(layer, 2**34)[-1] == "implicit GEMM, grouped image gradients"
    assert candidates(layer._replace(image_gradient=False), 2**34)[-1] == "implicit GEMM"
    assert "implicit GEMM" not in candidates(layer._replace(geometry=Geometry(groups=2)), 2**34)
    assert "implicit GEMM" not in candidates(layer._replace(dtype=torch.float64), 2**34)
    monkeypatch.setattr("tune_reg.training.lanes.convolutions.formulations.is_available", lambda: False)
    assert "implicit GEMM" not in candidates(layer, 2**34)


@pytest.mark.cuda
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", FORMULATIONS)
@pytest.mark.filterwarnings("default::UserWarning")  # of Triton's compiler, about versions to come
def test_a_formulation_is_separate_convolutions_on_the_device(name, layer, dtype, bound):
    lanes, images, weights, geometry = LAYERS[layer]
    if name not in candidates(Layer(lanes, images, weights, geometry, dtype), 2**34):
        pytest.skip(f"{name} does not take this layer")
    for shared in (False, True):
        narrow = tensors_of(layer, shared, dtype, "cuda")
        exact = [tensor.detach().double().requires_grad_() for tensor in narrow]
        reference = derivatives(separate, exact, geometry)
        with products("float32"):
            assert distance(derivatives(FORMULATIONS[name], narrow, geometry), reference) < bound


@pytest.mark.cuda
@pytest.mark.filterwarnings("default::UserWarning")
def test_long_sums_on_tensor_cores_are_as_good_as_those_of_float32():
    """Tensor cores cut off what they add, so that a sum of 74,000 products would be off by more than its rounding."""
    layer = Layer(2, (128, 1, 28, 28), (20, 1, 5, 5), Geometry(), torch.float32, image_gradient=False)
    with products("float32"):
        refused = {one.name: one.refused for one in measure(layer, candidates(layer, 2**34), GPU, lambda run: 1.0)}
    assert set(refused.values()) == {""}
