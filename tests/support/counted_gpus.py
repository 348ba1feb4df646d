"""A study on a Ray that counts GPUs which this machine has not, in a process of its own.

``python counted_gpus.py STUDY OUT GPUS CPUS [LOG]``: prints what a person is told. With a LOG its trials train on the
processor in the place of each GPU, and each setup of a trial is a line there: process, GPUs that Ray gives it, share.
"""

import sys
from pathlib import Path

import ray

from tune_reg import Study
from tune_reg.backends.ray.connection import ray_settings
from tune_reg.backends.ray.launch import run_study
from tune_reg.errors import TuneRegError


def _train_on_processors(log):
    """A function that each of Ray's processes runs at its start."""

    def set_up() -> None:
        import os

        import torch

        from tune_reg.backends.ray import device

        def device_of(resources):
            torch.set_num_threads(1)
            ids = ",".join(map(str, ray.get_runtime_context().get_accelerator_ids()["GPU"]))
            share = resources.required_resources.get("GPU", 0)
            with Path(log).open("a") as file:
                file.write(f"{os.getpid()} {ids or 'none'} {share}\n")
            return torch.device("cpu"), min(1.0, share or 1.0)

        device.device_of = device_of

    return set_up


def _main() -> int:
    study, out, gpus, cpus, *log = sys.argv[1:]
    environment = {"worker_process_setup_hook": _train_on_processors(log[0])} if log else None
    with ray_settings():
        ray.init(
            address="local",
            num_cpus=int(cpus),
            num_gpus=int(gpus),
            include_dashboard=False,
            log_to_driver=False,
            runtime_env=environment,
        )
        try:
            run_study(Study.from_toml(Path(study)), out, note=lambda line: print(line, flush=True))
        except TuneRegError as error:
            print(error)
            return 2
        finally:
            ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(_main())
