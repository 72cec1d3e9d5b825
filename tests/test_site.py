"""The page for the world: it loads nothing from elsewhere, holds no solution, and can be read on a phone."""

import ast
import functools
import html
import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from course.exercises import exercises_of
from solutions.classroom.__main__ import main
from solutions.classroom.release.reference_source import definition, home_of
from solutions.classroom.release.source_notebook import student_notebook
from solutions.classroom.site import build, pages

CHAPTER = "10_attention"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site") / "html"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COURSE_FAST", "1")
        assert main(["site", str(place), "10"]) == 0
    return place


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", ["index", f"chapters/{CHAPTER}", "gallery", "map", "teach", "grading"])
def test_a_page_loads_nothing_from_elsewhere_and_fits_its_screen(
    address: str, browser: Browser, page: str, width: int, scheme: str
) -> None:
    opened = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    abroad: list[str] = []
    opened.route(
        re.compile(r"^https?://(?!127\.0\.0\.1)"),
        lambda route: (abroad.append(route.request.url), route.abort()),
    )
    answer = opened.goto(f"{address}/{page}.html")
    assert answer is not None
    assert answer.ok
    opened.wait_for_timeout(200)
    assert abroad == []
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    opened.close()


def test_what_is_searched_is_found(address: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{address}/search.html?q=sharpness")
    page.wait_for_selector("#search-results li", timeout=20_000)
    assert page.locator("#search-results li a").first.get_attribute("href") is not None
    page.close()


def test_no_solution_is_on_the_site(site: Path) -> None:
    """No line of a reference's body that students do not get."""
    shown = "\n".join(cell.source for cell in student_notebook(CHAPTER).cells if not _given(cell))
    files = [
        path for path in site.rglob("*") if path.suffix in (".html", ".js", ".txt", ".ipynb", ".md", ".py")
    ]
    text = "\n".join(re.sub(r"<[^>]+>", "", html.unescape(path.read_text("utf-8"))) for path in files)
    assert "soft_attention" in text
    for name in exercises_of(CHAPTER):
        body = definition(home_of()[name], name).body[1:]  # type: ignore[attr-defined]
        lines = [line.strip() for statement in body for line in ast.unparse(statement).splitlines()]
        assert [line for line in lines if len(line) > 20 and line in text and line not in shown] == []


def _given(cell: object) -> bool:
    facts = cell.metadata.get("nbgrader", {})  # type: ignore[attr-defined]
    return bool(facts.get("locked") and not facts.get("grade"))


def test_a_chapter_s_pictures_and_formulas_are_there_and_its_gaps_are_open(site: Path) -> None:
    text = (site / "chapters" / f"{CHAPTER}.html").read_text("utf-8")
    assert text.count('src="data:image/png') >= 3
    assert text.count("<math") > 3
    assert "NotImplementedError" in text
    assert pages.STILL.strip("*").split(".")[0] in text
    assert "An output that is not shown" not in text


def test_a_chapter_that_has_not_changed_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []

    def run(chapter: str) -> object:
        runs.append(chapter)
        return student_notebook(chapter)

    monkeypatch.setattr(build, "executed", run)
    for _ in range(2):
        build._executed_before(CHAPTER, tmp_path)
    assert runs == [CHAPTER]
    monkeypatch.setenv("COURSE_FAST", "other")
    build._executed_before(CHAPTER, tmp_path)
    assert runs == [CHAPTER, CHAPTER]
    assert len(list(tmp_path.iterdir())) == 1


def test_links_to_files_that_are_not_on_the_site_become_words() -> None:
    text = "See [SECURITY.md](../SECURITY.md), [nbgrader](https://nbgrader.readthedocs.io) and ![a picture](x.png)."
    assert pages.public_text(text) == (
        "See SECURITY.md, [nbgrader](https://nbgrader.readthedocs.io) and ![a picture](x.png)."
    )
