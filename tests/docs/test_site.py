"""The site, built as `make docs` builds it: without a warning, without a network, and read in a browser."""

import os
import re
import subprocess
import sys
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.timeout(900)  # a build takes half a minute of a processor, which others may want, too

PAGES = ("index", "install", "clusters/slurm", "made/rules", "made/study-file", "made/regularizers/residual-smoothing")


@pytest.fixture(scope="module")
def site(docs, tmp_path_factory):
    """The folder of the built site. Any warning fails the build; a proxy that is not there fails any fetch."""
    folder = tmp_path_factory.mktemp("site")
    words = ["-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", folder / "trees", docs, folder / "site"]
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, env={**os.environ, **nowhere}
    )
    assert done.returncode == 0, done.stderr
    return folder / "site"


def test_there_is_a_page_for_each_regularizer_and_the_report(site):
    from tune_reg.regularizers import regularizers

    made = site / "made" / "regularizers"
    ours = {name for name, kind in regularizers().items() if kind.__module__.startswith("tune_reg.")}
    assert {path.stem for path in made.glob("*.html")} == {*ours, "index"}
    assert (site / "sample-report" / "index.html").is_file()
    assert "How a strength is searched" in (site / "made" / "how-it-searches.html").read_text(encoding="utf-8")


def test_every_link_and_picture_is_there_and_nothing_is_from_elsewhere(site):
    broken, elsewhere = [], []
    for page in site.rglob("*.html"):
        if "sample-report" in page.parts:
            continue  # tests/docs/test_made_pages.py looks at it
        text = page.read_text(encoding="utf-8")
        for tag, target in re.findall(r'<(a|img|script|link|source)\b[^>]*?\b(?:href|src)="([^"]+)"', text):
            parts = urlsplit(target)
            if parts.scheme in ("http", "https"):
                elsewhere += [(page.name, target)] if tag != "a" else []
            elif not parts.scheme and parts.path and not (page.parent / unquote(parts.path)).exists():
                broken.append((page.name, target))
    assert broken == []
    assert elsewhere == []
    sheets = "".join(path.read_text(encoding="utf-8") for path in (site / "_static").rglob("*.css"))
    assert not re.search(r"url\(['\"]?https?:|@import", sheets)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("scheme", "widths", "rules"),
    [("light", (1280, 390), None), ("dark", (1280,), ["color-contrast", "link-in-text-block"])],
    ids=["light", "dark"],
)
def test_pages_fit_and_axe_finds_nothing(site, chromium, scheme, widths, rules):
    """In the dark scheme the colours alone are others, and they are the same at every width."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = chromium.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900}).new_page()
    asked, complaints, wrong = [], [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for name in PAGES:
        page.goto((site / f"{name}.html").as_uri())
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} scrolls sideways at {width}"
            found = axe.Axe().run(page, options={"runOnly": rules} if rules else None).response
            assert found["passes"]
            wrong += [
                (name, width, rule["id"], [node["html"][:160] for node in rule["nodes"][:3]])
                for rule in found["violations"]
                if rule["impact"] in ("serious", "critical")
            ]
    page.context.close()
    assert wrong == []
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
