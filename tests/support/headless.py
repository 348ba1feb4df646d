"""Headless Chromium, driven by Playwright with the system's own browser: nothing is downloaded."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

#: Without these Chromium calls home, wants a sandbox that containers lack, or asks what to do first.
QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed; `apt-get install chromium` brings one")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    # launch() gives the browser a profile folder of its own and deletes it.
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(QUIET))
        yield browser
        browser.close()
