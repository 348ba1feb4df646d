import pytest
import torch
from torch import nn

from tune_reg.training import Run, SerialEngine, TrainingSettings


@pytest.fixture(scope="module")
def trained(tiny):
    """A function that trains a run on the tiny data set."""

    def train(*, epochs=3, until=None, model="nn-2-small", dtype=torch.float32, batch_size=32, **keys):
        training = TrainingSettings(epochs=epochs, batch_size=batch_size)
        engine = SerialEngine(Run("tiny", model, "weight-decay", {}, training, **keys), dataset=tiny, dtype=dtype)
        while engine.epoch < (until or epochs):
            engine.train_epoch()
        return engine

    return train


@pytest.fixture(scope="module")
def net(trained):
    """A net in float64, its images and labels."""
    engine = trained(epochs=8, dtype=torch.float64)
    images, labels = engine.batch("test", torch.arange(90))
    return engine.model, images.double(), labels


class Linear(nn.Module):
    """Class 1 where ``w x + b > 0``, else class 0."""

    def __init__(self):
        super().__init__()
        drawn = torch.Generator().manual_seed(0)
        self.w = nn.Parameter(torch.randn(48, generator=drawn, dtype=torch.float64))
        self.b = nn.Parameter(-0.5 * self.w.detach().sum())  # plain grey lies on the boundary

    def value(self, images):
        return images.flatten(1) @ self.w + self.b

    def forward(self, images):
        return torch.stack([torch.zeros(len(images), dtype=images.dtype), self.value(images)], 1)


@pytest.fixture
def linear():
    """A linear model, images of 3 x 4 x 4 so far inside [0, 1] that nothing is cut, and labels, some of them wrong."""
    model = Linear()
    images = 0.3 + 0.4 * torch.rand(150, 3, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    labels = (model.value(images) > 0).long()
    labels[:10] = 1 - labels[:10]
    return model, images, labels
