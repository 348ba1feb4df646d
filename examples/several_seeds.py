"""Several seeds for each configuration under stock Ray Tune, as a grid over the seed.

python examples/several_seeds.py

All configurations have the same seeds, and so the same initial weights and the same order of the images.
"""

from collections import defaultdict
from pathlib import Path

from ray import tune
from ray.tune.search.basic_variant import BasicVariantGenerator
from scipy import stats

from tune_reg import AdaDecayTrainable

SEEDS = [0, 1, 2]


def main(directory=Path("out/examples")):
    grid = tune.Tuner(
        AdaDecayTrainable,
        param_space={
            "dataset": "digits",
            "model": "nn-2-small",
            "epochs": 3,
            "batch_size": 64,
            "weight_decay": tune.loguniform(1e-6, 1e-1),
            "alpha": tune.uniform(-1, 8),
            "seed": tune.grid_search(SEEDS),
        },
        tune_config=tune.TuneConfig(
            num_samples=4,
            # Without this generator, each seed would get another configuration.
            search_alg=BasicVariantGenerator(constant_grid_search=True, random_state=0),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(name="several-seeds", storage_path=str(directory.resolve()), verbose=0),
    ).fit()
    scores = defaultdict(list)
    for result in grid:
        config = result.config
        scores[config["weight_decay"], config["alpha"]].append(result.metrics["val_accuracy"])
    print(f"weight decay  alpha  validation accuracy, mean of {len(SEEDS)} seeds and 95 % t interval")
    for (weight_decay, alpha), values in sorted(scores.items(), key=lambda item: -sum(item[1])):
        half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
        print(f"{weight_decay:12.2e}{alpha:7.2f}{sum(values) / len(values):21.3f} ± {half:.3f}")
    return scores


if __name__ == "__main__":
    main()
