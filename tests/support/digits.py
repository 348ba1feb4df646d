"""A small study of digits."""

from tune_reg.study import Study


def digits_study(**settings) -> Study:
    """Three trials of two epochs and one confirmed run, of weight decay; ``settings`` in place of these.

    Trials train without a pause; a test of pauses names the sampler knowledge-gradient and the pruner. Methods share no
    values, so that each search has as many trials as are named.
    """
    plain = {
        "name": "small",
        "dataset": "digits",
        "model": "nn-2-small",
        "regularizers": ["weight-decay"],
        "training": {"epochs": 2, "batch_size": 64},
        "search": {"trials": 3, "pruner": "none"},
        "confirm": {"seeds": 1},
    }
    plain |= settings
    plain["search"] = {"sampler": "tpe-gp", "shared_values": False, **plain["search"]}
    return Study(**plain)
