"""A browser and a server for the site's tests; a loud word, and a red CI, where no browser is."""

import os

import pytest
from playwright.sync_api import sync_playwright
from site_tools import SUB_PATH, be_patient, figures_ready, served

from browser import find_browser, launch

NO_BROWSER = (
    "NO BROWSER WAS FOUND: the website was NOT tested in one.\n"
    "Install Chromium (Debian: apt-get install chromium) or name one: CHROME=/path/to/browser"
)


@pytest.fixture(scope="session")
def browser():
    if find_browser() is None:
        pytest.skip(NO_BROWSER)
    with sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()


@pytest.fixture(scope="session")
def address():
    """The site below a sub-path, as a fork's site on GitHub Pages is."""
    with served(SUB_PATH) as top:
        yield top


@pytest.fixture
def open_page(browser, address):
    """Open a page in a context of its own; its faults are collected on `page.faults`."""
    contexts = []

    def opened(path, *, width=1280, height=900, top=address, **options):
        viewport = {"width": width, "height": height}
        context = be_patient(browser.new_context(viewport=viewport, **options))
        contexts.append(context)
        page = context.new_page()
        page.faults, page.loaded = [], []
        watch(page, top)
        page.goto(top + path, wait_until="load")
        if options.get("java_script_enabled", True):
            page.evaluate("async () => { await document.fonts.ready; }")
            figures_ready(page)
        return page

    yield opened
    for context in contexts:
        context.close()


def watch(page, top: str) -> None:
    """Collect requests that leave the site, errors of scripts, and addresses that lead nowhere."""
    origin = top.split("/", 3)[:3]

    def decide(route):
        url = route.request.url
        if url.split("/", 3)[:3] == origin or url.startswith(("data:", "blob:")):
            route.continue_()
        else:
            page.faults.append(f"a request leaves the machine: {url}")
            route.abort()

    def look_at(response):
        page.loaded.append((response.request.resource_type, response.url))
        if response.status >= 400:
            page.faults.append(f"{response.status}: {response.url}")

    page.route("**/*", decide)
    page.on("response", look_at)
    page.on("pageerror", lambda error: page.faults.append(f"script error: {error}"))
    page.on(
        "console",
        lambda line: page.faults.append(f"console: {line.text}") if line.type == "error" else None,
    )


def pytest_terminal_summary(terminalreporter):
    if find_browser() is None:
        terminalreporter.section("the website", sep="!", red=True, bold=True)
        terminalreporter.write_line(NO_BROWSER, red=True, bold=True)


def pytest_sessionfinish(session):
    in_worker = hasattr(session.config, "workerinput")
    if find_browser() is None and not in_worker and os.environ.get("CI") == "true":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
