from itertools import pairwise

import pytest

from analysis.figures import style


def contrast(color, paper):
    def luminance(text):
        parts = [int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((luminance(color), luminance(paper)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("color", style.COLOURS)
def test_series_stand_out_from_white(color):
    assert contrast(color, "#ffffff") >= 3


def test_neighbouring_series_differ_in_shape_and_colour():
    looks = [style.look(place) for place in range(14)]
    assert len({(style_of.color, style_of.marker) for style_of in looks}) == 14
    for first, second in pairwise(looks):
        assert first.marker != second.marker
        assert first.color != second.color
