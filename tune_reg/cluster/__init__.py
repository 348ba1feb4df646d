"""Studies on clusters: sent as a Ray job, a KubeRay manifest or a Slurm script, and their results fetched."""

from tune_reg.cluster.kuberay import KubeRay, rayjob
from tune_reg.cluster.nodes import Nodes
from tune_reg.cluster.slurm import Slurm, sbatch
from tune_reg.cluster.submission import Submission

__all__ = ["KubeRay", "Nodes", "Slurm", "Submission", "rayjob", "sbatch"]
