"""Figures of many panels and methods: nothing is lost, nothing lies on something else, and it does not take minutes."""

import time
from itertools import pairwise

import pytest
from matplotlib.backends.backend_agg import RendererAgg

from analysis.figures.intervals import CurvePoint, draw_intervals, shifted
from analysis.figures.layout import PAPER, SCREEN, arrange, wrapped
from analysis.figures.panels import grid, legend, log_ticks, plain_log_ticks, scale_axis
from analysis.figures.style import report_style

LONG = "decoupled-weight-decay-with-a-long-name-of-sixty-characters-7"


def figure_of(panels, names, *, page=SCREEN, title="a title"):
    with report_style():
        figure, axes = grid(panels)
        for ax in axes:
            for index, name in enumerate(names):
                ax.plot([0, 1], [index, index + 1], label=name)
            ax.set_title(title)
            ax.set_xlabel("epoch")
            ax.set_ylabel("validation accuracy, %")
            legend(ax)
        return figure, arrange(figure, page)


def boxes(figure):
    renderer = RendererAgg(1, 1, figure.dpi)
    legends = [legend for legend in [*figure.legends, *(ax.get_legend() for ax in figure.axes)] if legend is not None]
    texts = [text for ax in figure.axes for text in (ax.title, ax.xaxis.label, ax.yaxis.label)]
    shown = [legend for legend in legends if legend.get_visible()]
    return [artist.get_window_extent(renderer) for artist in (*texts, *shown, *figure.axes)]


@pytest.mark.parametrize("page", [SCREEN, PAPER[1], PAPER[2]])
@pytest.mark.parametrize("names", [["a"], [LONG, *(f"method-{number}" for number in range(30))]])
@pytest.mark.parametrize("panels", [1, 2, 3, 8])
def test_nothing_overlaps_and_nothing_is_outside(page, names, panels):
    figure, layout = figure_of(panels, names, page=page, title=f"{LONG} {LONG}")
    width, height = figure.get_size_inches() * figure.dpi
    placed = boxes(figure)
    for index, box in enumerate(placed):
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1
        for other in placed[index + 1 :]:
            apart = box.x1 <= other.x0 + 1 or other.x1 <= box.x0 + 1 or box.y1 <= other.y0 + 1 or other.y1 <= box.y0 + 1
            assert apart, (box, other)
    assert layout.sheets[0][1] == pytest.approx(height / figure.dpi)
    assert layout.sheets[-1][0] == pytest.approx(0.0, abs=1e-9)


def test_a_legend_names_every_method():
    names = [LONG, *(f"method-{number}" for number in range(30))]
    figure, _ = figure_of(1, names)
    (axes,) = figure.axes
    texts = [text.get_text().replace("\u200b\n", "") for text in axes.get_legend().get_texts()]
    assert sorted(texts) == sorted(names)


def test_a_figure_has_one_legend_which_names_what_any_panel_shows():
    figure, layout = figure_of(2, ["a", "b"])
    assert len(figure.legends) == 1
    assert not any(ax.get_legend().get_visible() for ax in figure.axes)
    assert [part.axes is None for part in layout.parts] == [False, False, True]
    with report_style():
        figure, axes = grid(2)
        for ax, name in zip(axes, "ab", strict=True):
            ax.plot([0, 1], label=name)
            legend(ax)
        arrange(figure)
    (common,) = figure.legends
    assert [text.get_text() for text in common.get_texts()] == ["a", "b"]
    assert not any(ax.get_legend().get_visible() for ax in axes)


def test_the_legend_of_very_many_panels_stands_above_them():
    _, few = figure_of(6, ["a"])
    _, many = figure_of(8, ["a"])
    assert [part.axes is None for part in few.parts] == [*[False] * 6, True]
    assert [part.axes is None for part in many.parts] == [True, *[False] * 8]
    assert many.parts[0].bottom + many.parts[0].height == pytest.approx(many.sheets[0][1])


def test_it_can_be_arranged_again():
    figure, first = figure_of(3, ["a", LONG], title=f"{LONG} {LONG}")
    with report_style():
        arrange(figure, PAPER[1])
        again = arrange(figure)
    assert len(again.parts) == len(first.parts)
    for part, before in zip(again.parts, first.parts, strict=True):
        assert part[2:] == pytest.approx(before[2:])


def test_the_time_grows_with_the_panels_and_no_faster():
    figure_of(2, ["a"])
    began = time.process_time()
    figure_of(10, ["a"])
    few = time.process_time() - began
    began = time.process_time()
    figure_of(60, ["a"])
    assert time.process_time() - began < 18 * max(few, 0.05)  # six times as many


def test_a_long_figure_goes_over_sheets_of_whole_rows():
    figure, layout = figure_of(12, ["a"], page=PAPER[2])
    assert len(layout.sheets) > 1
    for bottom, top in layout.sheets:
        assert top - bottom <= PAPER[2].longest
    for (bottom, _), (_, top) in pairwise(layout.sheets):
        assert bottom == top
    for part in layout.parts:
        inside = [
            bottom - 1e-6 <= part.bottom and part.bottom + part.height <= top + 1e-6 for bottom, top in layout.sheets
        ]
        assert inside.count(True) == 1
    assert figure.get_figwidth() == pytest.approx(2 * PAPER[2].panel)


def test_a_single_panel_fills_the_column():
    for columns, page in PAPER.items():
        figure, layout = figure_of(1, ["a"], page=page)
        assert figure.get_figwidth() == page.single
        assert layout.parts[0].width == page.single, columns


def test_names_on_an_axis_all_stay():
    with report_style():
        figure, (axes,) = grid(1)
        axes.plot(range(6), range(6))
        axes.set_xticks(range(6), [f"{LONG}-{number}" for number in range(6)])
        arrange(figure)
    shown = [text.get_text().replace("\u200b\n", "").replace(" \n", " ") for text in axes.get_xticklabels()]
    assert shown == [f"{LONG}-{number}" for number in range(6)]


def test_words_are_broken_before_letters():
    assert (
        wrapped("one two-three", 8, len) == "one two-\u200b\nthree"
        or wrapped("one two-three", 8, len) == "one \ntwo-\u200b\nthree"
    )
    assert "".join(wrapped(LONG, 20, len).split("\u200b\n")) == LONG
    assert max(len(line.rstrip("\u200b")) for line in wrapped(LONG, 20, len).split("\n")) <= 20


@pytest.mark.parametrize("lines", [2, 14, 30, 100])
@pytest.mark.parametrize(
    ("every", "log"), [((0.0, 0.05, 0.1), False), ((10.0, 100.0), True), ((90.0, 100.0, 500.0), True)]
)
def test_no_point_is_nearer_to_another_value(lines, every, log):
    for x in every:
        for index in range(lines):
            (at,) = shifted([x], every, index, lines, log=log)
            assert min(every, key=lambda value: abs(value - at)) == x
            assert abs(at - x) <= (0.13 * x if log else 0.0125)


def test_lines_are_in_the_order_of_their_shift():
    points = [CurvePoint(name, 100.0, 5, 0.9, 0.8, 1.0, "") for name in ("a", "b", "c")]
    with report_style():
        _, (axes,) = grid(1)
        axes.set_xscale("log")
        draw_intervals(axes, points, ["a", "b", "c"], log=True)
    at = [float(container[0].get_xdata()[0]) for container in axes.containers]
    assert at == sorted(at)
    assert at[1] == pytest.approx(100.0)
    assert max(at) < 105


@pytest.mark.parametrize(
    ("low", "high"), [(0.02, 0.8), (0.09, 0.11), (1e-8, 1.0), (0.9, 1.3), (3e-4, 5e-3), (99.0, 100.0), (1e-30, 1.0)]
)
def test_a_log_axis_has_at_least_two_numbers(low, high):
    ticks = log_ticks(low, high)
    assert 2 <= len(ticks) <= 9
    assert all(low * 0.999 <= tick <= high * 1.001 for tick in ticks)
    with report_style():
        figure, (axes,) = grid(1)
        scale_axis(axes, "log", [low, high])
        axes.plot([low, high], [0, 1])
        plain_log_ticks(axes)
        arrange(figure, PAPER[1])
    shown = [text.get_text() for text in axes.get_xticklabels() if text.get_text()]
    assert len(set(shown)) >= 2
