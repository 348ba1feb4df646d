import pytest

from analysis.exports import latex
from analysis.exports.rendered_table import RenderedTable

TABLE = RenderedTable(
    "t", "A & B", "50 %", ("Name", "Test accuracy, %"), (("a|b", "1.0 [0, 2]"), ("*", "-1.0"), ("[x]", "none")), b""
)


def test_latex_table_is_booktabs_with_its_names_escaped():
    text = latex.table(TABLE).decode()
    for rule in ("\\toprule", "\\midrule", "\\bottomrule", "\\caption{A \\& B. 50 \\%}", "\\label{tab:t}"):
        assert text.count(rule) == 1
    body = text[text.index("\\midrule") :].splitlines()[1:4]
    assert body == [
        r"a\textbar{}b & 1.0 {[}0, 2{]} \tabularnewline",
        r"{*} & $-$1.0 \tabularnewline",
        r"{[}x{]} & none \tabularnewline",
    ]
    assert "|" not in text
    assert r"\begin{tabular}{@{}lr@{}}" in text


def test_latex_wide_table_spans_both_columns():
    wide = RenderedTable("w", "W", "", tuple("abcdefg"), (tuple("1234567"),), b"")
    assert r"\begin{table*}" in latex.table(wide).decode()


@pytest.mark.parametrize(
    ("text", "set_as"),
    [
        ("a--b", "a-{}-b"),
        ("---", "-{}-{}-"),
        ("a - 5", "a - 5"),
        ("[-5, 5]", "{[}$-$5, 5{]}"),
        ("1e-06", "1e-06"),
        ("\u03bb \u2192 \u2265", r"$\lambda$ $\rightarrow$ $\ge$"),
        ("a\x00\nb", "a b"),
    ],
)
def test_latex_escape(text, set_as):
    assert latex.escape(text) == set_as
