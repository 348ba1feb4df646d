from analysis.figures import fonts


def test_latin_greek_and_cyrillic_need_no_other_font():
    assert fonts.fallback(("weight-decay", "ünïcode", "затухание", "λ")) == fonts.Fallback((), frozenset())


def test_letters_that_no_font_has_are_told(monkeypatch):
    fonts._fallback.cache_clear()
    real = fonts._letters_of
    monkeypatch.setattr(fonts, "_letters_of", lambda path: real(path) if "DejaVuSans.ttf" in path else set())
    try:
        assert fonts.fallback(("权重 a",)).missing == frozenset("权重")
    finally:
        fonts._fallback.cache_clear()


def test_a_font_that_has_them_is_asked(monkeypatch):
    fonts._fallback.cache_clear()
    real = fonts._letters_of
    monkeypatch.setattr(fonts, "_letters_of", lambda path: real(path) | (set("权重") if "cmr10" in path else set()))
    try:
        assert fonts.fallback(("权重 a",)) == fonts.Fallback(("cmr10",), frozenset())
    finally:
        fonts._fallback.cache_clear()


def test_never_boxes_in_pdf_and_png(data, monkeypatch):
    from analysis.exports import rendered_figure
    from analysis.figures.catalogue import FIGURES
    from analysis.figures.layout import PAPER

    (spec,) = (spec for spec in FIGURES if spec.name == "learning-curves")
    numbers = spec.compute(data)
    first = numbers.regularizers[0]

    def named(value):
        if isinstance(value, tuple):
            changed = [named(each) for each in value]
            return type(value)(*changed) if hasattr(value, "_fields") else tuple(changed)
        return "权重" if value == first else value

    monkeypatch.setattr(rendered_figure, "fallback", lambda _: fonts.Fallback((), frozenset("权重")))
    drawn = []
    spec = spec._replace(draw=lambda numbers, draw=spec.draw: (drawn.append(numbers), draw(numbers))[1])
    rendered, files = rendered_figure.render(spec, named(numbers), named(numbers), PAPER[2], "a")
    assert "权重" in files["figures/learning-curves.svg"].decode()
    assert drawn[-1].regularizers[0] == "(1)"
    assert "(1) for 权重" in rendered.caption
