"""The pages as a reader meets them: in a browser, by mouse and keyboard, on a phone, on paper, in light and dark."""

import re

import pytest

import analysis
from analysis.exports import figure_files

pytestmark = pytest.mark.browser

NASTY = '<script>window.bad=1</script><img src=x onerror=window.bad=1> "q" 50%_$&#{}~^\\'


@pytest.fixture(scope="session")
def pages(lab, tmp_path_factory):
    """A whole study, one with a hostile name, and several studies compared."""
    root = tmp_path_factory.mktemp("pages")
    whole = lab.write_study(root / "whole", lab.parts_of())

    def rename(row):
        return {**row, "regularizer": NASTY} if row["regularizer"] == "adadecay" else row

    parts = lab.parts_of(["adadecay", lab.baseline, "residual-smoothing"], [1.0])
    for table in ("trials", "epochs", "final", "robustness"):
        parts = lab.changed(parts, table, rename)
    study = {**lab.study, "name": NASTY, "regularizers": {lab.baseline: {}, NASTY: {}}}
    methods = {**lab.methods, NASTY: {"formula": NASTY, "reference": f"@misc{{x,\n title = {{{NASTY}}}}}"}}
    provenance = {**lab.provenance, "study_hash": "another", "regularizers": methods}
    nasty = lab.write_study(root / "nasty", parts, study=study, provenance=provenance)
    with pytest.MonkeyPatch.context() as patch:
        # The pages link to these files, which nobody follows here; they take half of the time.
        patch.setattr(figure_files, "pdf", lambda *_: b"")
        patch.setattr(figure_files, "png", lambda _: b"")
        return {
            "report": analysis.report(whole),
            "nasty": analysis.report(nasty),
            "comparison": analysis.compare([whole, nasty], root / "compared"),
        }


@pytest.fixture
def visit(chromium, pages):
    """Opens a page and fails at the end if the console complained or anything was asked for elsewhere."""
    contexts, complaints = [], []

    def open_(name="report", **settings):
        settings = {"viewport": {"width": 1280, "height": 900}, **settings}
        context = chromium.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        asked = []
        page.goto(pages[name].as_uri())
        assert {url for url in asked if not url.startswith("data:")} == {pages[name].as_uri()}
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


NAMES = ("report", "nasty", "comparison")


@pytest.mark.parametrize("name", NAMES)
def test_no_sideways_scrolling(visit, name):
    page = visit(name)
    for width in (320, 375, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Wide tables scroll inside their own frame, which the keyboard reaches.
    frames = page.locator(".scroll")
    assert frames.count() >= 2
    assert all(frames.nth(place).get_attribute("tabindex") == "0" for place in range(frames.count()))


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        *((name, "light") for name in NAMES),
        ("report", "dark"),
        # They have the style sheet of the report.
        *(pytest.param(name, "dark", marks=pytest.mark.slow) for name in ("nasty", "comparison")),
    ],
)
def test_axe_finds_nothing(visit, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = visit(name, color_scheme=scheme)
    page.locator("details summary").first.click()
    found = axe.Axe().run(page).response
    wrong = [(v["id"], v["help"], [node["html"][:200] for node in v["nodes"][:3]]) for v in found["violations"]]
    assert wrong == []
    # The rules that this is about have looked at something.
    passed = {rule["id"] for rule in found["passes"]}
    assert {"color-contrast", "role-img-alt", "scrollable-region-focusable", "page-has-heading-one"} <= passed


def test_axe_would_see_a_picture_without_words(visit):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = visit("nasty")
    page.evaluate("document.querySelector('.panel').removeAttribute('aria-label')")
    page.evaluate("document.querySelector('.soft').style.color = '#ccc'")
    rules = ["role-img-alt", "color-contrast"]
    found = axe.Axe().run(page, options={"runOnly": rules}).response
    assert {violation["id"] for violation in found["violations"]} == set(rules)


def test_light_and_dark_differ(visit):
    shades = [
        visit(color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    light, dark = (sum(map(int, re.findall(r"\d+", shade)[:3])) for shade in shades)
    assert light > 600
    assert dark < 150


def column(page, heading):
    """The button that sorts by ``heading``, its header cell, and a function that reads the column."""
    head = page.locator("#table-results th[scope=col]").filter(has_text=heading)
    place = head.evaluate("cell => cell.cellIndex")
    cells = page.locator(f"#table-results tbody tr > :nth-child({place + 1})")
    return head.locator("button"), head, cells.all_inner_texts


def numbers(cells):
    return [float(cell.split()[0]) for cell in cells if re.match(r"[+-]?\d", cell)]


def test_a_click_sorts_up_down_and_back(visit):
    page = visit()
    button, head, cells = column(page, "Test accuracy")
    stored = cells()
    assert head.get_attribute("aria-sort") == "none"
    button.click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert numbers(cells()) == sorted(numbers(stored))
    assert cells()[-1] == "none"
    button.click()
    assert head.get_attribute("aria-sort") == "descending"
    assert numbers(cells()) == sorted(numbers(stored), reverse=True)
    assert cells()[-1] == "none"  # what has no value stays last
    assert page.locator("th[aria-sort=ascending], th[aria-sort=descending]").count() == 1
    button.click()
    assert head.get_attribute("aria-sort") == "none"
    assert cells() == stored


def test_the_keyboard_sorts(visit):
    page = visit()
    button, head, cells = column(page, "Regularizer")
    names = cells()
    page.locator("#tools-table-results a").last.focus()
    for _ in range(20):
        page.keyboard.press("Tab")
        if button.evaluate("node => node === document.activeElement"):
            break
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert cells() == sorted(names)
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    assert cells() == sorted(names, reverse=True)
    assert "Sorted by Regularizer, descending" in page.locator("#status").inner_text()


def test_a_table_is_copied_as_tsv(visit):
    page = visit()
    page.get_by_role("button", name="Copy as TSV: Results on the test set", exact=True).click()
    page.wait_for_function("document.getElementById('status').textContent === 'Copied'")
    # Reading the clipboard wants a permission; writing it, which the reader does, must not.
    page.context.grant_permissions(["clipboard-read"])
    lines = page.evaluate("navigator.clipboard.readText()").strip().split("\n")
    heads = lines[0].split("\t")
    assert heads[:2] == ["Training data", "Regularizer"]
    assert len(lines) == 1 + page.locator("#table-results tbody tr").count()
    assert {len(line.split("\t")) for line in lines} == {len(heads)}
    assert re.match(r"\d\d\.\d\d \[\d\d\.\d\d, \d\d\.\d\d\]$", lines[1].split("\t")[heads.index("Test accuracy, %")])


def test_where_copying_is_forbidden_the_table_is_selected(visit):
    page = visit()
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.evaluate("document.execCommand = () => false")
    page.get_by_role("button", name="Copy as TSV: Results on the test set", exact=True).click()
    page.wait_for_function("document.getElementById('status').textContent.includes('Ctrl+C')")
    assert "weight-decay" in page.evaluate("getSelection().toString()")


def test_without_script_the_page_is_whole(visit):
    page = visit(java_script_enabled=False)
    assert page.get_by_role("button").count() == 0
    assert page.locator("#table-results tbody tr").count() == 8
    assert page.locator("#table-results th", has_text="Test accuracy").is_visible()


@pytest.mark.parametrize("name", ["nasty", "comparison"])
def test_hostile_names_are_text(visit, name):
    page = visit(name)
    assert page.evaluate("window.bad") is None
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0
    assert NASTY in page.locator("body").inner_text()


def test_a_script_that_slipped_in_would_not_run(visit, pages, tmp_path, chromium):
    broken = pages["report"].read_text().replace("<main", "<script>window.bad = 1</script><main", 1)
    (tmp_path / "page.html").write_text(broken)
    page = chromium.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.evaluate("window.bad") is None
    assert page.locator("button.sort").count() > 0
    page.close()


def test_on_paper_nothing_is_cut(visit):
    page = visit(viewport={"width": 680, "height": 900})  # what A4 leaves between margins of 15 mm
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 680
    wide = "[...document.querySelectorAll('table')].map(table => table.getBoundingClientRect().right)"
    assert max(page.evaluate(wide)) <= 680
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")


@pytest.mark.parametrize("name", NAMES)
def test_the_navigation_leads_to_every_section(visit, name):
    page = visit(name)
    links = page.locator("nav a")
    targets = [links.nth(place).get_attribute("href") for place in range(links.count())]
    assert len(targets) >= 5
    assert all(page.locator(target).count() == 1 for target in targets)
    assert targets == [f"#{heading}" for heading in page.locator("main h2").evaluate_all("all => all.map(h => h.id)")]
