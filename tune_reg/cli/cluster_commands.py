"""The commands that send a study to a cluster and bring its results home."""

from __future__ import annotations

import shlex
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tune_reg.cli.options import Plugins, StudyFile, console, load_plugins

if TYPE_CHECKING:
    from tune_reg.cluster import Submission


def submit(
    study: StudyFile,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="The results: a folder on the cluster, or s3://... Manifests have a default: the study's name.",
        ),
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="http://HEAD:8265", help="Send it as a Ray job to a cluster that is up.")
    ] = None,
    kuberay: Annotated[bool, typer.Option("--kuberay", help="Print a manifest for KubeRay instead.")] = False,
    slurm: Annotated[bool, typer.Option("--slurm", help="Print a script for Slurm's sbatch instead.")] = False,
    plugin: Plugins = [],  # noqa: B006
    data: Annotated[
        str | None, typer.Option("--data", metavar="DIR", help="Where the data sets lie on the cluster.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the job has ended; exit code 1 if it failed.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", help="The same, and show its progress.")] = False,
    image: Annotated[str | None, typer.Option(metavar="IMAGE", help="KubeRay: an image with tune-reg.")] = None,
    claim: Annotated[
        str | None, typer.Option(metavar="NAME", help="KubeRay: the claim of a volume for results or data.")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="KubeRay: a Secret with the credentials of an object store."),
    ] = None,
    nodes: Annotated[int | None, typer.Option(metavar="N", help="KubeRay, Slurm: nodes that train.")] = None,
    cpus_per_node: Annotated[int | None, typer.Option(metavar="N", help="KubeRay, Slurm.")] = None,
    gpus_per_node: Annotated[int | None, typer.Option(metavar="N", help="KubeRay, Slurm.")] = None,
    memory_gb_per_node: Annotated[int | None, typer.Option(metavar="N", help="KubeRay, Slurm.")] = None,
    time: Annotated[str | None, typer.Option(metavar="LIMIT", help="Slurm: the time limit, as 24:00:00.")] = None,
    partition: Annotated[str | None, typer.Option(metavar="NAME", help="Slurm.")] = None,
    account: Annotated[str | None, typer.Option(metavar="NAME", help="Slurm.")] = None,
) -> None:
    """Send a study to a cluster, or print the file that starts it there.

    A study that was sent to the same DIR before is not sent twice: its job is found, and waited for.
    """
    from tune_reg.cluster import KubeRay, Nodes, Slurm, Submission, rayjob, sbatch
    from tune_reg.errors import ClusterError
    from tune_reg.study import Study

    if sum((address is not None, kuberay, slurm)) != 1:
        raise ClusterError("submit: give one of --address http://HEAD:8265, --kuberay and --slurm")
    way = "--address" if address is not None else "--kuberay" if kuberay else "--slurm"
    shape: dict[str, Any] = {
        "count": nodes,
        "cpus": cpus_per_node,
        "gpus": gpus_per_node,
        "memory_gb": memory_gb_per_node,
    }
    kube: dict[str, Any] = {"image": image, "claim": claim, "secret": secret}
    queue: dict[str, Any] = {"time": time, "partition": partition, "account": account}
    watching: dict[str, Any] = {"wait": wait or None, "follow": follow or None}
    idle: dict[str, Any] = {
        "--address": shape | kube | queue,
        "--kuberay": queue | watching,
        "--slurm": kube | watching,
    }[way]
    for name in _given(idle):
        raise ClusterError(f"--{_OPTIONS.get(name, name)}: means nothing with {way}; drop it")
    load_plugins(plugin)
    declared = Study.from_toml(study)
    if address is not None:
        if out is None:
            raise ClusterError("--out: is required with --address; a folder on storage that all nodes share")
        _send(Submission.read(declared, out, data=data, plugins=plugin), address, wait=wait, follow=follow)
        return
    submission = Submission.read(declared, out or "out", data=data, plugins=plugin)
    machines = Nodes(**_given(shape))
    if kuberay:
        submission = replace(submission, out=out or f"/storage/{submission.label}")
        text = rayjob(submission, machines, KubeRay(**_given(kube)))
    else:
        submission = replace(submission, out=out or f"out/{submission.label}")
        text = sbatch(submission, machines, Slurm(**_given(queue)))
    sys.stdout.write(text)


def fetch(
    directory: Annotated[
        str,
        typer.Argument(metavar="DIR", help="The results, as the cluster's head names them, or s3://... or gs://..."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="HERE", help="A new or empty folder on this machine.")],
    address: Annotated[
        str | None, typer.Option(metavar="ray://HEAD:10001", help="The cluster; 'auto' on its head.")
    ] = None,
) -> None:
    """Bring the results of a study home from a cluster or an object store, each file checked by its SHA-256."""
    from tune_reg.cluster.fetch import fetch as copy
    from tune_reg.cluster.folders import ObjectStoreFolder
    from tune_reg.cluster.ray_folder import folder_on
    from tune_reg.errors import ClusterError
    from tune_reg.storage.paths import expanded, to_path
    from tune_reg.storage.remote_path import RemotePath

    path, out = to_path(directory), expanded(out)
    if isinstance(path, RemotePath):
        if address is not None:
            raise ClusterError(f"--address: means nothing with {path}, which is read from here; drop it")
        entries = copy(ObjectStoreFolder(path), out)
    elif address is None:
        raise ClusterError(f"--address: is required, as {directory} lies on a cluster; give ray://HEAD:10001")
    else:
        with folder_on(address, directory) as folder:
            entries = copy(folder, out)
    size = sum(entry.size for entry in entries) / 1e6
    console.print(f"{out}: {len(entries)} files, {size:.1f} MB, as they are there", soft_wrap=True)


#: Where a keyword is not its option.
_OPTIONS: Final = {
    "count": "nodes",
    "cpus": "cpus-per-node",
    "gpus": "gpus-per-node",
    "memory_gb": "memory-gb-per-node",
}


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _send(submission: Submission, address: str, *, wait: bool, follow: bool) -> None:
    from tune_reg.cluster import jobs

    client = jobs.connect(address)
    job = jobs.submit(client, submission)
    what = "sent" if job.new else f"was sent before, {job.status.lower()}"
    console.print(f"{job.name}: {what}; results in {submission.out} there", soft_wrap=True)
    if not (wait or follow):
        return
    try:
        status = _followed(client, job.name, submission) if follow else jobs.wait(client, job.name)
    except KeyboardInterrupt:
        command = shlex.join(["tune-reg", *sys.argv[1:]])
        console.print(f"{job.name} goes on by itself; `{command}` finds it", soft_wrap=True)
        raise typer.Exit(128 + signal.SIGINT) from None
    reason = "" if status == "SUCCEEDED" else f"; {jobs.end_message(client, job.name)}"
    console.print(f"{job.name}: {status.lower()}{reason}", soft_wrap=True)
    if status != "SUCCEEDED":
        raise typer.Exit(1)


def _followed(client: Any, name: str, submission: Submission) -> str:
    """Show how far the job is until it has ended: from its results, or where these cannot be seen here, by its log."""
    from tune_reg.cluster import jobs
    from tune_reg.display.progress import followed_progress
    from tune_reg.execution.progress import DirectoryProgress
    from tune_reg.storage.paths import to_path
    from tune_reg.study import make_plan

    follower = DirectoryProgress(make_plan(submission.study), submission.study_text, to_path(submission.out))
    log = jobs.Log(client, name)
    with followed_progress(console) as show:

        def look() -> None:
            progress = follower()
            if progress is not None:
                show(progress)
            elif text := log.new():
                console.print(text, end="", soft_wrap=True)

        return jobs.wait(client, name, on_poll=look)
