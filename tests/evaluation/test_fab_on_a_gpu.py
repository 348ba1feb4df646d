"""FAB with replayed passes on a GPU finds what it finds with eager ones on a CPU. No foolbox is needed."""

import pytest
import torch
from torch import nn

from tune_reg.evaluation.autoattack import fab
from tune_reg.evaluation.captured_model import CapturedModel
from tune_reg.training.cuda_graphs import graphs_for


@pytest.mark.cuda
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fab_on_a_gpu_finds_what_it_finds_on_a_cpu(norm):
    drawn = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 32), nn.Tanh(), nn.Linear(32, 5)).double().eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False).copy_(0.3 * torch.randn(parameter.shape, generator=drawn, dtype=torch.float64))
    images = torch.rand(16, 3, 4, 4, generator=drawn, dtype=torch.float64)
    labels = model(images).argmax(1)
    targets = (labels + 1) % 5
    on_cpu = fab(model, images, labels, targets, norm=norm, steps=20)
    device = torch.device("cuda")
    captured = CapturedModel(model.to(device), graphs_for(device))
    on_gpu = fab(captured, images.to(device), labels.to(device), targets.to(device), norm=norm, steps=20)
    assert on_cpu.isfinite().double().mean() > 0.5
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, rtol=1e-6, atol=0)
