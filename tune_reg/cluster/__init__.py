"""Studies on clusters: as a Ray job, as a KubeRay manifest, as a Slurm script; and their results brought home."""

from tune_reg.cluster.inputs import Inputs, Nodes
from tune_reg.cluster.kuberay import KubeRay, rayjob
from tune_reg.cluster.slurm import Slurm, sbatch

__all__ = ["Inputs", "KubeRay", "Nodes", "Slurm", "rayjob", "sbatch"]
