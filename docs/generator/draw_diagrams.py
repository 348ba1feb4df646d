"""Draws the diagrams of docs/pictures, ``*.mmd`` in mermaid's language, as SVG, so that readers need no script.

npm pack mermaid && tar xzf mermaid-*.tgz
python docs/generator/draw_diagrams.py package/dist/mermaid.min.js
"""

import hashlib
import re
import shutil
import sys
from pathlib import Path

PICTURES = Path(__file__).parents[1] / "pictures"

_DRAW = """async ([name, source]) => {
  mermaid.initialize({startOnLoad: false, theme: "neutral", htmlLabels: false,
                      flowchart: {htmlLabels: false}, fontFamily: "sans-serif"});
  return (await mermaid.render("drawn-" + name, source)).svg;
}"""


def digest(source: str) -> str:
    """What stands in a drawing for the source that it was made from.

    >>> digest("flowchart TD")
    'a3d27ba5ee895011'
    """
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def with_size(svg: str) -> str:
    """The drawing with the size of its view box in pixels, and a white ground for pages that are dark."""
    box = re.search(r'viewBox="([-\d. ]+)"', svg)
    assert box is not None
    width, height = (round(float(number)) for number in box[1].split()[2:])
    svg = svg.replace('width="100%"', "", 1).replace('style="', 'style="background: #fff; ', 1)
    return svg.replace("<svg ", f'<svg width="{width}" height="{height}" ', 1)


def main(mermaid: str) -> None:
    """Draw every diagram anew, with the script of mermaid in Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.set_content("<body></body>")
        page.add_script_tag(path=mermaid)
        for path in sorted(PICTURES.glob("*.mmd")):
            source = path.read_text(encoding="utf-8")
            svg = with_size(page.evaluate(_DRAW, [path.stem, source]))
            comment = f"<!-- Drawn by draw_diagrams.py from {path.name}, {digest(source)} -->"
            path.with_suffix(".svg").write_text(f"{comment}\n{svg}\n", encoding="utf-8")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
