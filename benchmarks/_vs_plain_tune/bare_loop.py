"""The least that the epochs of the search cost: a bare training loop without any search around it."""

from __future__ import annotations

import multiprocessing
import os
import time

from _vs_plain_tune.sweep import BATCH, Numbers, Options, load, split


def bare_loop(options: Options) -> Numbers:
    """As many epochs of a bare loop as the search has, one process and one thread a core."""
    os.environ.update(MALLOC_MMAP_MAX_="0", MALLOC_TRIM_THRESHOLD_=str(2**40))
    cores = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        seconds = pool.starmap(_trial, [(options, seed) for seed in range(options.trials)], chunksize=1)
    return {"wall_s": sum(seconds) / min(cores, options.trials), "epochs": options.trials * options.epochs}


def _trial(options: Options, seed: int) -> float:
    """Seconds of one trial's epochs, without the start of the process and the reading of the data."""
    import torch
    from torch.nn.functional import cross_entropy

    from tune_reg import models

    torch.set_num_threads(1)
    dataset = load(options)
    train_index, val_index = split(options.work)
    images, labels = dataset.train_images.permute(0, 3, 1, 2), dataset.train_labels
    model = models.build("lenet-4", image=dataset.image, classes=10, mean=dataset.mean, std=dataset.std, seed=seed).to(
        memory_format=torch.channels_last
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4, fused=True)
    begin = time.perf_counter()
    for _ in range(options.epochs):
        model.train()
        for chunk in train_index[torch.randperm(len(train_index))].split(BATCH):
            loss = cross_entropy(model(images[chunk].float().div_(255)), labels[chunk])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for chunk in val_index.split(1000):
                (model(images[chunk].float().div_(255)).argmax(1) == labels[chunk]).sum().item()
    return time.perf_counter() - begin
