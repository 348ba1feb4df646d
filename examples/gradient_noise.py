"""A new regularizer in one file: Gaussian noise on every gradient (Neelakantan et al. 2015).

tune-reg list regularizers --plugin examples/gradient_noise.py
tune-reg run examples/gradient_noise.toml --out out/gradient-noise --plugin examples/gradient_noise.py
"""

from search_spaces import SearchSpace, loguniform
from tune_reg import Regularizer, register
from tune_reg.regularizers import Hyperparameter


@register
class GradientNoise(Regularizer):
    name = "gradient-noise"
    formula = "g <- g + sigma e, e ~ N(0, I)"
    reference = """@article{neelakantan2015adding,
  title = {Adding Gradient Noise Improves Learning for Very Deep Networks},
  author = {Neelakantan, Arvind and others},
  year = {2015}
}"""
    hyperparameters = (Hyperparameter("sigma", 1e-3, "standard deviation of the noise", low=0.0, off=0.0),)
    strength = "sigma"
    space = SearchSpace({"sigma": loguniform(1e-5, 1e-1)}, start=[{"sigma": 1e-3}])

    def noise_shape(self, hook, shape):
        return tuple(shape) if hook == "gradient" else None

    def gradient(self, gradient, parameter, strengths, progress, noise):
        return gradient + strengths["sigma"] * noise
