"""Slides of a chapter: everything fits, nothing is loaded from elsewhere, and what a section says is on them."""

import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, sync_playwright

from course.show import SHARPNESS
from solutions.classroom.__main__ import main
from solutions.classroom.feedback import sanitize
from solutions.classroom.lecture import notes, slides
from solutions.classroom.release.chapter_text import chapter_path
from solutions.classroom.release.source_notebook import source_notebook

CHAPTER = "10_attention"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("slides")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COURSE_FAST", "1")
        assert main(["slides", "10", "--place", str(place)]) == 0
    return place / CHAPTER / "index.html"


@pytest.fixture
def page(page_path: Path) -> Iterator[Page]:
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": slides.WIDTH, "height": slides.HEIGHT})
        page.route(re.compile("^https?:"), lambda route: pytest.fail(f"loads {route.request.url}"))
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        page.goto(page_path.as_uri())
        page.wait_for_function("window.ready === true", timeout=60_000)
        yield page
        browser.close()


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_every_slide_fits_on_the_wall_and_can_be_read(page: Page) -> None:
    count = page.evaluate("Reveal.getTotalSlides()")
    assert count >= 10
    for _ in range(count):
        bottom, right, smallest = page.evaluate(
            """(() => { const slide = Reveal.getCurrentSlide(), boxes = [...slide.querySelectorAll("*")].map(e => e.getBoundingClientRect());
            return [Math.max(...boxes.map(b => b.bottom)), Math.max(...boxes.map(b => b.right)),
                    Math.min(1, ...[...slide.querySelectorAll(".part")].map(p => +p.style.zoom || 1))]; })()"""
        )
        assert bottom <= slides.HEIGHT + 1
        assert right <= slides.WIDTH + 1
        assert smallest >= 0.5
        page.evaluate("Reveal.next()")
    assert page.evaluate("Reveal.isLastSlide()")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_pictures_formulas_and_functions_are_there(page: Page) -> None:
    assert page.locator(".slides img").count() >= 3
    assert page.locator(".slides math").count() >= 3
    assert page.locator(".slides img:not([alt])").count() == 0
    text = page.locator(".slides").evaluate("e => e.textContent")
    assert "def soft_attention" in text
    assert "NotImplementedError" not in text


def test_the_page_loads_only_what_lies_beside_it(page_path: Path) -> None:
    text = page_path.read_text("utf-8")
    loaded = re.findall(r'(?:src|href)="([^"#]+)"', re.sub(r'<a [^>]*href="[^"]*"', "<a", text))
    local = [name for name in loaded if not name.startswith("data:")]
    assert local
    for name in local:
        assert (page_path.parent / name).is_file(), name
    assert not any("@import" in p.read_text() for p in page_path.parent.rglob("*.css"))


def test_every_section_of_a_chapter_is_on_the_slides_with_its_notes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / f"{CHAPTER[:2]}.md").write_text(
        "# Chapter 10\n\n## Plan\n\nx\n\n## Notes to the sections\n\n### Take the best match\n\nAsk *who* disagrees.\n\n"
        "### Further reading\n\ny\n\n## Exam\n\nz\n"
    )
    monkeypatch.setattr(notes, "FOLDER", tmp_path)
    assert notes.notes_of(CHAPTER) == {"Take the best match": "Ask *who* disagrees.", "Further reading": "y"}
    found = slides.sections(CHAPTER, nbformat.from_dict(source_notebook(CHAPTER)))
    written = chapter_path(CHAPTER).read_text("utf-8")
    assert [section["heading"] for section in found] == re.findall(r"^# ##? (.+)$", written, re.MULTILINE)
    assert "<em>who</em>" in found[1]["notes"]


def test_a_picture_of_the_course_s_is_shown_whole_with_its_words_and_its_width() -> None:
    data = base64.b64encode(bytes(60_000)).decode()
    html = f'<img alt="a &quot;4&quot;" width="640" src="data:image/png;base64,{data}">'
    shown = sanitize.output("display_data", {"data": {"text/html": html}})
    assert shown == f'<img src="data:image/png;base64,{data}" alt="a &#34;4&#34;" width="640">'


@pytest.mark.parametrize("tail", [' onload="x()">', "><script>x()</script>", ' width="1" onerror="x()">'])
def test_what_only_begins_like_a_picture_of_the_course_s_is_washed(tail: str) -> None:
    html = f'<img alt="a" width="640" src="data:image/png;base64,AAAA"{tail}'
    shown = sanitize.output("display_data", {"data": {"text/html": html}})
    assert not re.search("onload|onerror|<script", shown)


def test_pictures_have_more_pixels_than_their_width_on_the_page() -> None:
    assert SHARPNESS >= 2
