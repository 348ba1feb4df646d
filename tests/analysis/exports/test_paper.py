import re
import sys

import pytest

import analysis


@pytest.mark.parametrize(("columns", "width"), [(1, 5.5), (2, 6.9)])
def test_figures_and_tables_are_for_the_page_of_the_paper(tmp_path, lab, columns, width, monkeypatch):
    write = sys.modules["analysis.report.write"]
    monkeypatch.setattr(write, "FIGURES", tuple(f for f in write.FIGURES if f.name == "learning-curves"))
    directory = lab.write_study(tmp_path / "DIR", lab.parts_of())
    out = analysis.report(directory, tmp_path / "out", columns=columns).parent
    boxes = re.findall(
        rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", (out / "figures" / "learning-curves.pdf").read_bytes()
    )
    assert {round(float(box[0]) / 72, 2) for box in boxes} == {width}
    wide = (out / "tables" / "results.tex").read_text(encoding="utf-8")
    assert (r"\begin{table*}" in wide) == (columns == 2)
    assert (r"\begin{figure*}" in (out / "figures" / "learning-curves.tex").read_text()) == (columns == 2)
