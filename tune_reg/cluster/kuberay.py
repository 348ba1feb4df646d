"""A study as a manifest for KubeRay: a ConfigMap with its files and a RayJob that runs them."""

from __future__ import annotations

import base64
import importlib.metadata
import re
import shlex
from dataclasses import dataclass, replace
from typing import Final

from tune_reg.cluster.nodes import Nodes
from tune_reg.cluster.rendering import render, yaml_document
from tune_reg.cluster.submission import STUDY_FILE, Submission
from tune_reg.errors import ClusterError
from tune_reg.version import __version__

#: Where the claim and the ConfigMap are mounted in every pod.
STORAGE: Final = "/storage"
STUDY: Final = "/study"
_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}")
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
#: Kubernetes refuses a ConfigMap above 1 MiB, keys and all.
_MAX_BYTES: Final = 1_000_000


@dataclass(frozen=True)
class KubeRay:
    """The names of what the Kubernetes cluster provides.

    ``image``: a container image with tune-reg in it. ``claim``: the PersistentVolumeClaim of a volume that every pod
    can write; None is "tune-reg", or no claim where the results go to an object store. ``secret``: a Secret whose keys
    become environment variables of every pod, such as the credentials of an object store.
    """

    image: str = f"tune-reg:{__version__}"
    claim: str | None = None
    secret: str | None = None

    def __post_init__(self) -> None:
        if not _IMAGE.fullmatch(self.image):
            raise ClusterError(f"--image: must be the name of a container image, but got {self.image!r}")
        for option, name, kind in (
            ("--claim", self.claim, "PersistentVolumeClaim"),
            ("--secret", self.secret, "Secret"),
        ):
            if name is not None and not _NAME.fullmatch(name):
                raise ClusterError(
                    f"{option}: must be the name of a {kind} (small letters, digits, '-' and '.'), but got {name!r}"
                )


def rayjob(submission: Submission, nodes: Nodes, settings: KubeRay) -> str:
    """The manifest of a submission, as YAML with comments, for ``kubectl apply -f``.

    Where a claim is mounted, folders must lie under /storage, and the data sets do in /storage/data unless
    ``submission.data`` says otherwise. Raises ``ClusterError`` naming the option that is wrong.
    """
    nodes.refuse_too_small(submission.study)
    claim = settings.claim or (None if submission.folder is None else "tune-reg")
    if claim is not None:
        submission = replace(submission, data=submission.data or f"{STORAGE}/data")
        for option, path in (("--out", submission.folder), ("--data", submission.data)):
            if path is not None and not (path.startswith(f"{STORAGE}/") and ".." not in path.split("/")):
                raise ClusterError(
                    f"{option}: must lie under {STORAGE}, where the volume is mounted in every pod, but got {path!r}"
                )
    # KubeRay makes services of it, whose names begin with a letter, and takes at most 47 characters.
    name = f"sweep-{submission.label}-{submission.digest[:8]}"
    files: dict[str, object] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {STUDY_FILE: submission.study_text, "run.sh": _script(submission)},
    }
    if submission.plugins:
        plugins = {key: base64.b64encode(content).decode() for key, content in submission.plugins.items()}
        files["binaryData"] = plugins  # byte for byte, so that provenance names the same hash
    document = yaml_document(files)
    if len(document.encode()) > _MAX_BYTES:
        raise ClusterError(
            f"--kuberay: the study and its plugins come to {len(document.encode()):,} bytes, but a ConfigMap holds "
            f"{_MAX_BYTES:,}; install the plugins in the image"
        )
    return render(
        "rayjob.yaml.j2",
        name=name,
        files=document,
        study=submission.study,
        nodes=nodes,
        image=settings.image,
        claim=claim,
        secret=settings.secret,
        storage=STORAGE,
        folder=STUDY,
        entrypoint=f"bash {STUDY}/run.sh",
        ray_version=importlib.metadata.version("ray"),
    )


def _script(submission: Submission) -> str:
    # An entrypoint is read by two shells, the submitter's and the head's; a script is read by one.
    lines = ["set -euo pipefail", shlex.join(submission.prefetch()), f"exec {shlex.join(submission.command(STUDY))}"]
    return "\n".join(lines) + "\n"
