"""What a table or figure of a paper is as studies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from analysis.measures.reproduction.declared import Block, Column, Curves, PaperClaim, Reproduction
from tune_reg.study import Study

#: "full" is the paper's own; "small" ends in about an hour on two cores.
Scale: TypeAlias = Literal["full", "small"]
SCALES: Final[tuple[Scale, ...]] = ("full", "small")
#: The name in the catalog of each data set, by the papers' words.
DATASETS: Final[Mapping[str, str]] = {
    "MNIST": "mnist",
    "Fashion-MNIST": "fashion-mnist",
    "CIFAR-10": "cifar10",
    "CIFAR-100": "cifar100",
    "SVHN": "svhn",
}


def column(method: str, setting: str, methods: Iterable[str]) -> Column:
    """The published column of ``method`` at ``setting``, and the methods of the study that stand for it."""
    return Column(method=method, setting=setting, methods=tuple(methods))


@dataclass(frozen=True)
class BlockPreset:
    """One data set and network of a table, with the study that is trained for it.

    ``keys``: of the study, without its name and protocol. ``methods``: the study's regularizers. Every setting of a
    paper's grid is a method of its own with fixed values, so that nothing is searched and each is trained on every
    seed: the best one can then be picked on test accuracy, as the papers do, or on validation images.
    """

    name: str
    dataset: str  # in the paper's words
    model: str
    keys: Mapping[str, Any]
    methods: Mapping[str, Mapping[str, Any]]
    columns: tuple[Column, ...]
    baseline: tuple[str, str] | None
    sizes: tuple[str, ...]
    in_place: str = ""
    #: The size that is trained where it is not the published one.
    trained_size: str | None = None
    #: Whether the paper's statistics are over epochs of test accuracy, which only the protocol "paper" has.
    over_epochs: bool = True
    #: Whether a study that picks on validation images is trained beside it.
    on_validation: bool = True
    claims: tuple[PaperClaim, ...] = ()
    curves: Curves | None = None

    def studies(self, prefix: str) -> dict[str, Study]:
        """The studies of the block by their path in the results, which begins with the name of the block."""
        protocols = (["paper"] if self.over_epochs else []) + (["validation"] if self.on_validation else [])
        return {
            self.path(protocol): self._study(f"{prefix} {self.name} {protocol}", protocol) for protocol in protocols
        }

    def _study(self, name: str, protocol: str) -> Study:
        training = self.keys["training"]
        if protocol == "validation":  # what validation images pick is read at the end alone
            training = {**training, "validate_every": training["epochs"]}
        methods = {method: dict(values) for method, values in self.methods.items()}
        return Study(**{**self.keys, "name": name, "protocol": protocol, "regularizers": methods, "training": training})

    def path(self, protocol: str) -> str:
        """Where the study with ``protocol`` lies, relative to the results of the reproduction."""
        return f"studies/{self.name}/{protocol}"


@dataclass(frozen=True)
class Reproducible:
    """One table or figure of a paper that can be trained again."""

    name: str
    title: str
    paper: str
    table: str
    citation: str
    blocks: Callable[[Scale], tuple[BlockPreset, ...]]
    choices: tuple[str, ...] = ()
    #: By scale, a sentence each.
    deviations: Mapping[Scale, tuple[str, ...]] = field(default_factory=dict)


def declaration(item: Reproducible, scale: Scale) -> Reproduction:
    """What the report of a reproduction needs to know of it."""
    return Reproduction(
        name=item.name,
        title=item.title,
        paper=item.paper,
        table=item.table,
        citation=item.citation,
        scale=scale,
        command=f"tune-reg reproduce {item.name} --scale {scale}",
        choices=item.choices,
        deviations=tuple(item.deviations.get(scale, ())),
        blocks=tuple(_block(preset) for preset in item.blocks(scale)),
    )


def _block(preset: BlockPreset) -> Block:
    return Block(
        name=preset.name,
        dataset=preset.dataset,
        model=preset.model,
        in_place=preset.in_place,
        trained_size=preset.trained_size,
        as_published=preset.path("paper") if preset.over_epochs else None,
        on_validation=preset.path("validation") if preset.on_validation else None,
        columns=preset.columns,
        baseline=preset.baseline,
        sizes=preset.sizes,
        claims=preset.claims,
        curves=preset.curves,
    )
