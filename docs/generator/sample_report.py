"""Takes the report of a results directory as the site's sample: ``make sample`` gives it that of the demo.

Figures as PDF, PNG and TeX and tables as TeX are left out for their size, with the links to them.
"""

import re
import shutil
import sys
from pathlib import Path

SAMPLE = Path(__file__).parents[1] / "extra" / "sample-report"
PICTURE = Path(__file__).parents[1] / "pictures" / "report.png"

_TAKEN = ("report.md", "references.bib", "tables/*.csv", "figures/*.svg")
#: Drawn in the page itself, and large.
_LEFT_OUT = {"pair-maps.svg", "strength-response.svg"}
_LINK = re.compile(
    r'<a\b[^>]*\bhref="((?:figures|tables)/[^"]+|report\.md|references\.bib)"[^>]*>.*?</a>\s*', re.DOTALL
)


def take_sample(report: Path, into: Path) -> None:
    """Copy a report into a folder, which is emptied first; its page links to nothing that is left out."""
    shutil.rmtree(into, ignore_errors=True)
    for pattern in _TAKEN:
        for path in sorted(report.glob(pattern)):
            if path.name not in _LEFT_OUT:
                target = into / path.relative_to(report)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    page = (report / "index.html").read_text(encoding="utf-8")
    kept = _LINK.sub(lambda match: match[0] if (into / match[1]).is_file() else "", page)
    (into / "index.html").write_text(kept, encoding="utf-8")


def take_picture(page: Path, into: Path) -> None:
    """Draw the head of the report, its answer, as a PNG of 1100 pixels."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        shot = browser.new_page(viewport={"width": 1100, "height": 600})
        shot.goto(page.as_uri())
        end = shot.locator("h3").first.bounding_box()
        assert end is not None
        shot.screenshot(path=into, clip={"x": 0, "y": 0, "width": 1100, "height": end["y"] - 10})
        browser.close()


if __name__ == "__main__":
    take_sample(Path(sys.argv[1]) / "report", SAMPLE)
    take_picture(SAMPLE / "index.html", PICTURE)
