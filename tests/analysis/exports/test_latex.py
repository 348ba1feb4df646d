import re
import shutil
import subprocess
from typing import NamedTuple

import pytest

from analysis.exports import latex
from analysis.exports.csv_file import formulas_sentence, rows_csv
from analysis.exports.rendered_table import RenderedTable

TABLE = RenderedTable(
    "t", "A & B", "50 %", ("Name", "Test accuracy, %"), (("a|b", "1.0 [0, 2]"), ("*", "-1.0"), ("[x]", "none")), b""
)


class Named(NamedTuple):
    name: str
    value: float


#: A page without anything on it.
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
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
    narrow = RenderedTable("w", "W", "", tuple("abcdefg"), (tuple("1234567"),), b"")
    assert r"\begin{table*}" not in latex.table(narrow).decode()
    wide = RenderedTable("w", "W", "", tuple("abcdefg"), (("97.31 [96.00, 98.00]",) * 7,), b"")
    assert r"\begin{table*}" in latex.table(wide).decode()
    assert r"\begin{table*}" not in latex.table(wide, columns=1).decode()


def test_a_table_that_is_too_wide_for_a_page_is_scaled_and_says_so():
    words = RenderedTable("w", "W", "", tuple("abcdefghijklmno"), (("97.31 [96.00, 98.00]",) * 15,), b"")
    text = latex.table(words).decode()
    assert "% Wider than a page" in text
    assert r"\resizebox{\linewidth}" in text
    assert "Wider" not in latex.table(TABLE).decode()


def test_what_all_rows_share_stands_in_the_caption():
    rows = tuple(("100 % of the data", name, number) for name, number in (("a", "1.0"), ("b", "1.0")))
    text = latex.table(RenderedTable("w", "W", "C.", ("Training data", "Name", "n"), rows, b"")).decode()
    assert r"C. In all rows: Training data: 100 \% of the data.}" in text
    assert text.count("the data") == 1
    assert r"a & 1.0 \tabularnewline" in text


def test_a_long_table_goes_over_several_floats_with_labels_of_their_own():
    rows = tuple((f"method-{number}", "1.0") for number in range(100))
    text = latex.table(RenderedTable("w", "W", "C.", ("Name", "n"), rows, b""), "a study").decode()
    labels = re.findall(r"\\label\{([^}]*)\}", text)
    assert labels[:2] == ["tab:a-study:w", "tab:a-study:w-2"]
    assert len(labels) == text.count(r"\end{table}") > 1
    assert text.count("method-") == 100


def test_labels_of_two_studies_differ():
    labels = {re.search(r"\\label\{([^}]*)\}", latex.table(TABLE, name).decode())[1] for name in ("a", "b", "权", "重")}
    assert len(labels) == 4
    assert all(re.fullmatch(r"tab:[A-Za-z0-9-]+:t", label) for label in labels)


def test_letters_that_pdflatex_lacks_are_told_in_the_first_line():
    table = TABLE._replace(rows=(("权重", "1.0"), ("ünïcode", "2.0"), ("затухание", "3.0")))
    first = latex.table(table).decode().splitlines()[0]
    assert first.startswith("% Needs xelatex or lualatex")
    assert "权重затухние" in first
    assert "xelatex" not in latex.table(TABLE).decode()


HOSTILE = (
    *("none", "a|b&c", "under_score_%", "=1+1", "$x$ {y} ~#^\\", "_hidden", "<b>bold</b>", "é-ünïcode-ß", "[x]", "*"),
    *(
        "decoupled-weight-decay-with-a-long-name-of-sixty-characters-7",
        "averyveryverylongnamewithoutanyplacetobreak" * 2,
    ),
    *("λ ± ∞ ≤", "-0.5", "--", "`'\"", "\\input{x}", "ā ķ ő ñ"),
)


@pytest.mark.parametrize("columns", [1, 2])
def test_pdflatex_sets_every_name(tmp_path, columns):
    program = shutil.which("pdflatex")
    if program is None:
        pytest.skip("pdflatex is not installed; `apt-get install texlive-latex-base` brings it")
    cells = tuple((name, "97.31 [96.00, 98.00]", name, "+0.50") for name in HOSTILE)
    table = RenderedTable("t", HOSTILE[2], " ".join(HOSTILE), ("Name", "Accuracy, %", "Notes & more", "d"), cells, b"")
    (tmp_path / "t.tex").write_bytes(latex.table(table, "a_b %", columns))
    snippet = latex.figure("f", "A & B", " ".join(HOSTILE), "a_b %", sheets=1, wide=columns == 2)
    (tmp_path / "f.tex").write_bytes(snippet)
    (tmp_path / "f.pdf").write_bytes(PDF)
    document = (
        rf"\documentclass[{'twocolumn' if columns == 2 else 'onecolumn'}]{{article}}"
        r"\usepackage{booktabs,graphicx}\newcommand{\import}[2]{\input{#1#2}}"
        r"\begin{document}\input{t}\import{./}{f.tex}\newcommand{\withoutcaptions}{}\input{t}\end{document}"
    )
    (tmp_path / "a.tex").write_text(document, encoding="utf-8")
    done = subprocess.run(
        [program, "-interaction=nonstopmode", "-halt-on-error", "a.tex"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_csv_with_formulas_is_told_of():
    assert "=1+1" in formulas_sentence(rows_csv([Named("=1+1", -0.5)]))
    assert formulas_sentence(rows_csv([Named("a=1", -0.5), Named("1e-5", -1e-5)])) == ""


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
