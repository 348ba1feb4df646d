"""What turning the strength up buys and costs: clean and robust accuracy against strength."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from analysis.figures.intervals import error_bars, runs_text
from analysis.figures.panels import grid, legend, scale_axis
from analysis.figures.spec import FigureSpec
from analysis.figures.style import COLOURS, INK, styled
from analysis.formatting import attack_name
from analysis.measures.accuracy import BySeed, Setting, accuracies, setting_of, test_images
from analysis.measures.attacks import Attack, areas, attacked_images
from analysis.measures.search.response import LINEAR, LOG, SYMLOG, strength_parameter
from analysis.measures.search.spaces import number
from analysis.snapshot import Snapshot, Source, mapping, snapshot
from analysis.statistics import share_interval
from analysis.wording import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLEAN: Final = "test accuracy"
ROBUST: Final = "mean accuracy over epsilon"

_FEWEST: Final = 3  # strengths


class StrengthMean(NamedTuple):
    """The confirmed runs of one strength. Accuracies are shares in [0, 1]."""

    measure: str  # CLEAN or ROBUST
    regularizer: str
    strength: float
    n: int  # runs
    mean: float
    low: float | None
    high: float | None
    method: str


class RobustStrengthPanel(NamedTuple):
    """The methods of a study that are one regularizer at several strengths, under one attack."""

    regularizer: str  # behind the methods' names
    parameter: str
    scale: str
    test: str
    norm: str | None
    data: str
    points: tuple[StrengthMean, ...]


class RobustStrength(NamedTuple):
    """Clean and robust accuracy against strength."""

    panels: tuple[RobustStrengthPanel, ...]


def robust_strength(source: Source) -> RobustStrength:
    """Clean and robust accuracy of the methods that are one regularizer at three strengths or more.

    Only confirmed runs are attacked, and a search confirms its winner alone. So there is something to show only
    where a study fixes the strength in several methods, as in ``weak = {regularizer = "weight-decay",
    weight_decay = 1e-4}``.
    """
    data = snapshot(source)
    panels = []
    for (setting, attack), robust in areas(data).items():
        groups: dict[tuple[str, str], dict[str, float]] = {}
        for name in data.regularizers:
            parameter = strength_parameter(data, name)
            value = _strength(data, name, parameter, setting)
            if value is not None:
                groups.setdefault((_kind(data, name), parameter), {})[name] = value
        for (kind, parameter), strengths in groups.items():
            if len(set(strengths.values())) >= _FEWEST:
                panels.append(_panel(data, setting, attack, robust, (kind, parameter), strengths))
    return RobustStrength(tuple(panel for panel in panels if panel.points))


def _panel(
    data: Snapshot,
    setting: Setting,
    attack: Attack,
    robust: BySeed,
    what: tuple[str, str],
    strengths: dict[str, float],
) -> RobustStrengthPanel:
    points = []
    clean = accuracies(data).get(setting, {}), test_images(data).get(setting)
    for measure, (values, images) in (
        (CLEAN, clean),
        (ROBUST, (robust, attacked_images(data).get((setting, attack)))),
    ):
        for name, strength in sorted(strengths.items(), key=lambda item: (item[1], item[0])):
            mean = share_interval(list(values.get(name, {}).values()), images)
            if mean is not None:
                points.append(StrengthMean(measure, name, strength, *mean))
    tried = sorted(set(strengths.values()))
    wide = tried[-1] >= 50 * (tried[0] or tried[1])
    scale = LINEAR if not wide or tried[0] < 0 else LOG if tried[0] > 0 else SYMLOG
    return RobustStrengthPanel(*what, scale, *attack, where(data, *setting), tuple(points))


def _kind(data: Snapshot, name: str) -> str:
    given = mapping(mapping(data.study.get("regularizers")).get(name)).get("regularizer", name)
    return "+".join(map(str, given)) if isinstance(given, list) else str(given)


def _strength(data: Snapshot, name: str, parameter: str, setting: Setting) -> float | None:
    for row in data.final:
        if row["regularizer"] == name and setting_of(row) == setting:
            return number(row["params"].get(parameter))
    return None


@styled
def draw_robust_strength(data: RobustStrength) -> Figure:
    """Draw one panel a regularizer and attack: clean accuracy full, robust accuracy dashed."""
    figure, axes = grid(len(data.panels))
    for panel, ax in zip(data.panels, axes, strict=True):
        for measure, color, marker, dash in ((CLEAN, INK, "o", "-"), (ROBUST, COLOURS[1], "s", "--")):
            line = [point for point in panel.points if point.measure == measure]
            ax.errorbar(
                [point.strength for point in line],
                [100 * point.mean for point in line],
                yerr=error_bars(line),
                color=color,
                marker=marker,
                linestyle=dash,
                capsize=2.5,
                elinewidth=1.0,
                label=measure,
            )
        if panel.scale != LINEAR:
            scale_axis(ax, panel.scale, [point.strength for point in panel.points])
        ax.set_title(
            f"{panel.regularizer}, {attack_name(panel.test, panel.norm)}\n{panel.data}, {runs_text(panel.points)}"
        )
        ax.set_xlabel(panel.parameter)
        ax.set_ylabel("test accuracy, %")
        legend(ax)
    return figure


ROBUST_STRENGTH_FIGURE: Final = FigureSpec(
    "robust-strength",
    "What turning the strength up buys and costs in test accuracy",
    "Test accuracy of the confirmed runs, clean and under attack, of the methods that are one regularizer at several "
    "fixed strengths; bars are 95 % intervals over n runs.",
    robust_strength,
    draw_robust_strength,
)
