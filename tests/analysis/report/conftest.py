"""Reports written of synthetic studies, and a parser of their pages."""

import shutil
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

import analysis

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Checks that tags close and collects what the page holds."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.outside, self.text = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href") and not value.startswith(("#", "data:,")):
                self.outside.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def files_of(directory):
    root = directory / "report"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def make(tmp_path, lab, parts=None, *, figures=(), **kwargs):
    """The text of the report of a study: a small one without figures, if not told otherwise; drawing takes long.

    figures: True for all, or the names of some.
    """
    parts = lab.parts_of(["adadecay", lab.baseline], [1.0]) if parts is None else parts
    directory = lab.write_study(tmp_path / "DIR", parts, **kwargs)
    with pytest.MonkeyPatch.context() as patch:
        if figures is not True:
            write = sys.modules["analysis.report.write"]  # analysis.report is the function
            patch.setattr(write, "FIGURES", tuple(figure for figure in write.FIGURES if figure.name in figures))
        return analysis.report(directory).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def reports():
    """What reads and makes reports; tests are no package, so they cannot import it."""
    return SimpleNamespace(Page=Page, files_of=files_of, make=make)


@pytest.fixture(autouse=True)
def quick(request):
    """The tests of what ``written`` holds draw PDF and PNG, the others do without."""
    if "written" not in request.fixturenames:
        request.getfixturevalue("without_paper")


@pytest.fixture(scope="session")
def written(directory, tmp_path_factory):
    copy = tmp_path_factory.mktemp("report") / "DIR"
    shutil.copytree(directory, copy)
    assert analysis.report(copy) == copy / "report" / "index.html"
    return copy
