"""The study as Python users run it: the declared study, with a method that carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tune_reg.storage.paths import StoragePath
from tune_reg.store import Results
from tune_reg.study import Study as DeclaredStudy


class Study(DeclaredStudy):
    __doc__ = DeclaredStudy.__doc__

    def run(
        self,
        directory: str | StoragePath,
        *,
        address: str | None = None,
        data: str | Path | None = None,
        plugins: Sequence[str | Path] = (),
    ) -> Results:
        """Search, confirm, test and attack into ``directory``; what is done there already is not done again.

        ``address``: of a Ray cluster; None uses a Ray that is running in this process, or starts one here.
        ``data``: the data root. ``plugins``: files that register the study's own regularizers.
        """
        from tune_reg.backends.ray.launch import run_study  # loads Ray, which a study that is only declared needs not

        root = Path(data) if data else None
        return run_study(self, directory, address=address, data_root=root, plugins=[Path(path) for path in plugins])
