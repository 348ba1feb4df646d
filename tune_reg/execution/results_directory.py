"""The results directory of a study: which study it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tune_reg.data import Dataset
from tune_reg.errors import StoreError, UnreachableError
from tune_reg.execution.objects import write_objects
from tune_reg.storage.paths import StoragePath, write_whole
from tune_reg.storage.remote_path import RemotePath
from tune_reg.store import Results
from tune_reg.store.seal import sealed_text
from tune_reg.study import Study
from tune_reg.study.growth import differences
from tune_reg.user_objects import without_digest


def cannot_be_written(directory: StoragePath, reason: str) -> StoreError:
    """The error for a study under way whose results directory cannot be written any more."""
    if isinstance(directory, RemotePath):
        return UnreachableError(str(directory), reason)
    return StoreError(f"{directory} cannot be written ({reason}); make room and give the command again")


def as_begun(directory: StoragePath, study: Study) -> Study:
    """``study`` with the sampler, the pruner, the number of seeds and ``shared_values`` of the directory.

    What the study names itself stays.

    So a study that was begun when others were the default goes on with those.
    """
    if not (directory / "study.toml").exists():
        return study
    begun = Results(directory).study()
    return study.model_copy(update={**_search_as_begun(begun, study), **_confirm_as_begun(begun, study)})


def _search_as_begun(begun: Mapping[str, Any], study: Study) -> dict[str, Any]:
    stored, named = begun.get("search", {}), study.search.model_fields_set
    update = {} if "shared_values" in named else {"shared_values": stored.get("shared_values", False)}
    if "pruner" not in named and stored and ("sampler" not in named or study.search.sampler == stored.get("sampler")):
        # A first rung is not stored where it is the pruner's own.
        update |= {"min_epochs": stored.get("min_epochs")}
        update |= {key: stored[key] for key in ("sampler", "pruner") if key in stored}
    kept = {"min_epochs": study.search.min_epochs} if "min_epochs" in named else {}
    return {"search": study.search.model_copy(update={**update, **kept})} if update else {}


def _confirm_as_begun(begun: Mapping[str, Any], study: Study) -> dict[str, Any]:
    seeds = begun.get("confirm", {}).get("seeds")
    if study.confirm.seeds is not None or seeds is None:
        return {}
    return {"confirm": study.confirm.model_copy(update={"seeds": seeds})}


def refuse_another_study(directory: StoragePath, study: Study) -> None:
    """``StoreError`` where the directory belongs to another study, other than one that this one grows from."""
    if not (directory / "study.toml").exists():
        return
    lines = differences(_without_digests(Results(directory).study()), _without_digests(study.to_plain()))
    if lines:
        raise StoreError(f"--out {directory}: belongs to another study ({'; '.join(lines)}); choose another")


def _without_digests(plain: Mapping[str, Any]) -> dict[str, Any]:
    """A study as plain tables, where code that has changed makes no difference: its digests are compared elsewhere."""
    return {key: without_digest(value) if isinstance(value, str) else value for key, value in plain.items()}


def refuse_other_data(directory: StoragePath, dataset: Dataset | None) -> None:
    """``StoreError`` where the runs in the directory were trained on other data of the same name."""
    before = Results(directory).provenance().get("data", {}).get("md5")
    if dataset is not None and before is not None and before != dataset.md5:
        raise StoreError(
            f"--out {directory}: the data of {dataset.name} have changed since it was begun (md5 {before}, now "
            f"{dataset.md5}); bring the data back, or choose another directory"
        )


def holds(directory: StoragePath, study: Study) -> bool:
    """Whether the directory belongs to this very study, which has not grown since."""
    path = directory / "study.toml"
    return path.exists() and path.read_bytes() == sealed_text(study.to_toml()).encode()


def claim(directory: StoragePath, study: Study) -> None:
    """Write the study into a directory that belongs to no study yet, or in place of the study that it grows from.

    What the study was given in Python is written beside it.
    """
    if not holds(directory, study):
        write_whole(directory / "study.toml", sealed_text(study.to_toml()).encode())
    write_objects(directory, study)
