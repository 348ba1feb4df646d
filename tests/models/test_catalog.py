from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from tune_reg.errors import StudyError
from tune_reg.models import MODELS, build, check, is_convolutional

torch.set_num_threads(1)

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32)]
MORE_SHAPES = [*SHAPES, (3, 5, 21), (2, 33, 17)]
# These take a second a step; where the image's size is beside the point, they get the smallest alone.
LARGE = {"resnet-18", "resnet-50", "googlenet", "densenet-bc-100-12"}
EACH = [(name, image) for name in MODELS for image in SHAPES if name not in LARGE or image == SHAPES[0]]
# Deeper nets of the same layers as others that run every time. `make slow` takes them through everything.
DEEPER = {"resnet-32", "resnet-56", "resnet-50"}


def slow_if(condition, *values):
    return pytest.param(*values, marks=[pytest.mark.slow] if condition else [])


#: Each model, and each with some images.
NETS = [slow_if(name in DEEPER, name) for name in MODELS]
NETS_AND_IMAGES = [slow_if(name in DEEPER, name, image) for name, image in EACH]


def made(name, image=(1, 28, 28), classes=10, seed=0, mean=0.3, std=0.4):
    c = image[0]
    return build(name, image=image, classes=classes, mean=torch.full((c,), mean), std=torch.full((c,), std), seed=seed)


# lenet-4 on MNIST is the well-known 431,080 of Caffe's LeNet. The ResNets for CIFAR have He et al.'s 0.27, 0.46,
# 0.85 M; resnet-20-keras has the 273,066 trainable parameters that Keras prints; ResNet-18, ResNet-50 and GoogLeNet
# have those of kuangliu/pytorch-cifar; DenseNet-BC has the paper's 0.8 M.
@pytest.mark.parametrize(
    ("name", "image", "classes", "count"),
    [
        ("nn-2", (1, 28, 28), 10, 669_706),
        ("nn-2", (3, 32, 32), 100, 1_887_332),
        ("nn-2-small", (1, 28, 28), 10, 266_610),
        ("nn-3", (1, 28, 28), 10, 932_362),
        ("nn-3-small", (1, 28, 28), 10, 276_710),
        ("lenet-4", (1, 28, 28), 10, 431_080),
        ("lenet-4", (1, 8, 8), 10, 56_080),
        ("lenet-4", (3, 32, 32), 10, 657_080),
        ("small-cnn", (3, 32, 32), 10, 122_570),
        ("small-cnn", (1, 28, 28), 10, 93_322),
        ("resnet-20", (3, 32, 32), 10, 269_722),
        ("resnet-20", (1, 28, 28), 10, 269_434),
        ("resnet-20", (3, 32, 32), 100, 275_572),
        # 9 (3 64 + 64 64 + 64 128 + 128 128 + 128 256 + 256 256) + 4 (64 + 128 + 256)
        # + (4096 256 + 256) + (256 256 + 256) + (256 10 + 10)
        ("vgg-9", (3, 32, 32), 10, 2_263_498),
        ("vgg-9", (1, 28, 28), 10, 2_263_498 - 9 * 2 * 64 - 7 * 256 * 256),
        ("vgg-9", (1, 8, 8), 10, 2_263_498 - 9 * 2 * 64 - 15 * 256 * 256),
        ("resnet-14", (3, 32, 32), 10, 172_506),
        ("resnet-32", (3, 32, 32), 10, 464_154),
        ("resnet-56", (3, 32, 32), 10, 853_018),
        ("resnet-8-keras", (3, 32, 32), 10, 78_186),
        ("resnet-20-keras", (3, 32, 32), 10, 273_066),
        ("resnet-18", (3, 32, 32), 10, 11_173_962),
        ("resnet-18", (1, 28, 28), 10, 11_173_962 - 2 * 9 * 64),
        ("resnet-50", (3, 32, 32), 10, 23_520_842),
        ("resnet-50", (3, 32, 32), 100, 23_520_842 + 90 * 2049),
        ("googlenet", (3, 32, 32), 10, 6_166_250),
        ("googlenet", (1, 8, 8), 10, 6_166_250 - 2 * 9 * 192),
        ("densenet-bc-100-12", (3, 32, 32), 10, 769_162),
        ("densenet-bc-100-12", (1, 28, 28), 10, 769_162 - 2 * 9 * 24),
    ],
)
def test_parameter_counts(name, image, classes, count):
    assert sum(p.numel() for p in made(name, image, classes).parameters()) == count


def test_every_model_is_counted():
    mark = next(m for m in test_parameter_counts.pytestmark if m.name == "parametrize")
    assert {name for name, *_ in mark.args[1]} == set(MODELS)


@pytest.mark.parametrize(
    ("name", "image", "dtype"),
    [
        # The slowest nets: the smallest images, and those with the most uneven sides.
        *(
            slow_if(name in LARGE | DEEPER and image not in (SHAPES[0], (3, 5, 21)), name, image, torch.float32)
            for name in MODELS
            for image in MORE_SHAPES
        ),
        # The gradients of gradients, below, are taken in float64 in every net.
        *(slow_if(name in LARGE | DEEPER, name, image, torch.float64) for name, image in EACH),
    ],
)
def test_output_shapes(name, image, dtype):
    model = made(name, image, classes=7).to(dtype)
    assert model.training
    logits = model(torch.rand(2, *image, dtype=dtype))
    assert logits.shape == (2, 7)
    assert logits.dtype == dtype
    assert logits.isfinite().all()
    logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_a_last_batch_of_one_image(name):
    """Batch normalisation of one pixel of one image has no variance: the border has to prevent it."""
    model = made(name, (1, 8, 8))
    assert model(torch.rand(1, 1, 8, 8)).shape == (1, 10)
    model(torch.rand(3, 1, 8, 8)).sum().backward()


@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_gradients(name):
    """The penalties differentiate a gradient by the images: no layer may overwrite what that needs."""
    model = made(name, (1, 8, 8)).double()
    x = torch.rand(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(model(x).square().sum(), x, create_graph=True)
    gradient.square().sum().backward()
    weights = [p for p in model.parameters() if p.ndim > 1]
    assert all(w.grad.isfinite().all() and w.grad.any() for w in weights)


@pytest.mark.parametrize(("name", "image"), NETS_AND_IMAGES)
def test_channels_last_and_lane_forms_agree(name, image):
    model = made(name, image).double().eval()
    x = torch.rand(3, *image, dtype=torch.float64)
    expected = model(x)
    lanes = torch.func.stack_module_state([model, model])
    stacked = torch.func.vmap(lambda p, b: torch.func.functional_call(model, (p, b), (x,)))(*lanes)
    torch.testing.assert_close(stacked, torch.stack([expected, expected]), rtol=1e-10, atol=1e-10)
    model = model.to(memory_format=torch.channels_last)
    again = model(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(again, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NETS)
def test_weights_are_a_function_of_the_seed(name):
    first, again, other = (made(name, (1, 8, 8), seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(first[key].equal(again[key]) for key in first)
    weights = [key for key, value in first.items() if key.startswith("net.") and value.ndim > 1]
    assert weights
    assert all(not first[key].equal(other[key]) for key in weights)
    shifted = made(name, (1, 8, 8), seed=3, mean=0.1, std=2.0).state_dict()
    assert all(first[key].equal(shifted[key]) for key in weights)


@pytest.mark.parametrize("name", NETS)
def test_the_global_state_neither_matters_nor_changes(name):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = made(name)
    assert torch.get_rng_state().equal(state)
    torch.manual_seed(2)
    assert torch.cat([p.flatten() for p in first.parameters()]).equal(
        torch.cat([p.flatten() for p in made(name).parameters()])
    )


@pytest.mark.parametrize(("name", "image"), NETS_AND_IMAGES)
def test_the_normalisation_lies_inside(name, image):
    x = torch.rand(5, *image)
    inside = made(name, image, mean=0.3, std=0.4).eval()
    plain = made(name, image, mean=0.0, std=1.0).eval()
    around = inside.border
    padded = torch.nn.functional.pad(x, around)
    expected = plain.net((padded - 0.3) / 0.4)
    torch.testing.assert_close(inside(x), expected)
    assert {"mean", "std"} <= set(inside.state_dict())
    assert "mean" not in dict(inside.named_parameters())


def test_torchvision_comes_late_and_draws_nothing():
    """It takes a second to import; and the first net of a process has to be like the second."""
    source = """
import sys
import torch
from tune_reg.models import build
make = lambda: build("densenet-bc-100-12", image=(1, 8, 8), classes=2, mean=torch.zeros(1), std=torch.ones(1), seed=0)
assert "torchvision" not in sys.modules
first, second = make().state_dict(), make().state_dict()
assert "torchvision" in sys.modules
assert all(first[key].equal(second[key]) for key in first)
"""
    subprocess.run([sys.executable, "-c", source], check=True, timeout=120)


def test_each_channel_has_its_own_statistics():
    mean, std = torch.tensor([0.1, 0.5, 0.9]), torch.tensor([0.2, 0.0, 0.4])
    model = build("nn-2", image=(3, 4, 4), classes=2, mean=mean, std=std, seed=0)
    model.net = nn.Identity()
    x = torch.rand(2, 3, 4, 4)
    out = model(x)
    for c, spread in enumerate([0.2, 1.0, 0.4]):  # a channel without spread is only shifted
        torch.testing.assert_close(out[:, c], (x[:, c] - mean[c]) / spread)


def test_statistics_of_another_dtype():
    model = build("nn-2", image=(1, 4, 4), classes=2, mean=torch.zeros(1).double(), std=torch.ones(1).double(), seed=0)
    assert model(torch.rand(1, 1, 4, 4)).dtype == torch.float32


def test_small_images_get_a_black_border():
    model = made("lenet-4", (1, 8, 9), mean=0.0, std=1.0)
    model.net = nn.Identity()
    x = torch.rand(2, 1, 8, 9) + 0.1
    out = model(x)
    assert out.shape == (2, 1, 16, 16)
    assert out[:, :, 4:12, 3:12].equal(x)
    assert out.count_nonzero() == x.numel()


def test_which_pay_in_channels_last():
    assert {name for name in MODELS if not is_convolutional(made(name))} == {"nn-2", "nn-2-small", "nn-3", "nn-3-small"}


@pytest.mark.parametrize(
    ("name", "near"),
    [("lenet4", "lenet-4"), ("ResNet20", "resnet-20"), ("small_cnn", "small-cnn"), ("nn2", "nn-2"), ("vgg9", "vgg-9")],
)
def test_unknown_name_with_the_nearest(name, near):
    for function in (check, made):
        with pytest.raises(StudyError) as caught:
            function(name)
        assert f"unknown model {name!r}; did you mean {near!r}?" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"image": (1, 0, 8)}, r"image must be the shape of an example.*got \(1, 0, 8\)"),
        ({"image": ()}, "image must be"),
        ({"classes": 1}, "classes must be a whole number of at least 2, got 1"),
        ({"mean": torch.zeros(3)}, r"mean must have the shape \[1\], one a channel, got \[3\]"),
        ({"std": torch.tensor(1.0)}, r"std must have the shape \[1\]"),
    ],
)
def test_bad_input(changed, message):
    arguments = {"image": (1, 8, 8), "classes": 10, "mean": torch.zeros(1), "std": torch.ones(1), "seed": 0}
    with pytest.raises(StudyError, match=message):
        build("nn-2", **(arguments | changed))
