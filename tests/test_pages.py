"""What students and instructors open, in a real browser without a network: nothing that was handed in runs or loads anything."""

import base64
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from attacks import every_attack
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell
from playwright.sync_api import Browser, Page, Route, sync_playwright

from course.exercises import chapters, exercises_of
from solutions.classroom.assignment import Assignment
from solutions.classroom.feedback.answer_guides import guides
from solutions.classroom.feedback.pages import CSP
from solutions.classroom.feedback.report import write_page
from solutions.classroom.feedback.sanitize import SHOWN, markdown
from solutions.classroom.folder import ClassFolder, new_class
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.grading.grade import grade_class
from solutions.classroom.proof.simulated_class import solved
from solutions.classroom.release.publish import environment, nbgrader, release
from solutions.classroom.release.source_notebook import grade_id, source_notebook, student_notebook

CHAPTER, FIRST = "10_attention", "hard_attention"
ATTACKERS = ("scripts_in_markdown", "scripts_in_outputs")
EVIL = "<script>window.attacked=1;alert(1)</script><img src=x onerror=window.attacked=1>"
NAMED = "<img src=x onerror=window.attacked=1>"
"""A student's id: a folder may be called that."""
SLOW, DAMAGED, FOREIGN = "slow", "damaged", "foreign"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PICTURE = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8ffff3f0005fe02fea72d1f400000000049454e44ae426082"
    )
).decode()

pytestmark = [
    pytest.mark.promise("P13"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
]

MARKDOWN = [
    EVIL,
    "[a](javascript:window.attacked=1) <a href='JaVaScRiPt:window.attacked=1' onclick='window.attacked=1'>b</a> <b/onclick=window.attacked=1>b</b>",
    "<iframe srcdoc='<script>parent.attacked=1</script>'></iframe><object data='data:text/html,<script>top.attacked=1</script>'></object>"
    "<embed src='javascript:window.attacked=1'><form action='javascript:window.attacked=1'><button>x</button></form>",
    "<svg onload=window.attacked=1><script>window.attacked=1</script></svg><svg><a xlink:href='javascript:window.attacked=1'><text y=20>x</text></a></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.attacked=1></style></mglyph></table></mtext></math>",
    "<noscript><p title='</noscript><img src=x onerror=window.attacked=1>'></noscript><style>@import 'http://example.org/a.css';</style>",
    "![x](http://example.org/tracking.png) <img srcset='http://example.org/2.png 2x' alt=z> <video poster=http://example.org/p.png autoplay></video>"
    "<p style='background:url(http://example.org/b.png)'>p</p><link rel=stylesheet href=http://example.org/c.css><base href=http://example.org/>",
    "<meta http-equiv=refresh content='0;url=http://example.org/'><details open ontoggle=window.attacked=1>d</details>",
    r"$\text{<img/src=x/onerror=window.attacked=1>}$ and $\text{&lt;img/src=x/onerror=window.attacked=1&gt;}$ and $\href{javascript:window.attacked=1}{x}$ and $\unicode{<img src=x onerror=window.attacked=1>}$",
    r'![$\text{"/src=x/onerror=window.attacked=1/x="}$](x) <img alt=\'$\text{"/src=x/onerror=window.attacked=1/x="}$\' src=x> [a](x "$\text{" onclick=window.attacked=1}$")',
    "```html\n" + EVIL + "\n```\n\n```" + EVIL.replace(" ", "") + "\nx\n```\n\n```mermaid\n" + EVIL + "\n```",
    "&lt;img src=x onerror=window.attacked=1&gt; `" + EVIL + "`",
    "A formula $x^2 + \\alpha$ that stands, and one that is none: $\\nonsense{x}$.",
    "<h1 id=points class='points right'>Score: 100 of 100</h1>",
    "![evil](attachment:evil.svg) ![there](attachment:there.png) ![gone](attachment:gone.png) ![page](attachment:page.html)",
]

OUTPUTS: list[dict[str, Any]] = [
    {"output_type": "stream", "name": "stdout", "text": EVIL + "\x1b[31m red \x1b[0m\x1b]8;;javascript:window.attacked=1\x07x"},
    {"output_type": "stream", "name": "stderr", "text": [EVIL, EVIL]},
    {"output_type": "error", "ename": EVIL, "evalue": EVIL, "traceback": [EVIL, f"\x1b[31m{EVIL}\x1b[0m"]},
    *(
        {"output_type": kind, "data": {mime: data}, "metadata": {mime: {"alt": f'"{EVIL}', "isolated": True, "width": EVIL}}}
        | ({"execution_count": 1} if kind == "execute_result" else {})
        for kind in ("display_data", "execute_result")
        for mime, data in {
            "text/plain": EVIL,
            "text/html": "".join(MARKDOWN[:9]),
            "text/markdown": "\n\n".join(MARKDOWN[:9]),
            "text/latex": f"${EVIL}$ {EVIL} \\text{{{EVIL}}}",
            "image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9' onload='window.attacked=1'><script>window.attacked=1</script>"
            "<image href='http://example.org/s.png'/></svg>",
            "image/png": f'{PICTURE}"><img src=x onerror=window.attacked=1>',
            "image/jpeg": ["x", EVIL],
            "application/javascript": "window.attacked=1",
            "application/json": {"x": EVIL},
            "application/pdf": EVIL,
            "text/vnd.mermaid": EVIL,
            "application/vnd.jupyter.widget-view+json": {"model_id": f"</script>{EVIL}", "version_major": 2},
            EVIL: EVIL,
        }.items()
    ),
]  # fmt: skip


def _hostile(notebook: Any) -> Any:
    """Every kind of cell, output, attachment and metadata; as an instructor's own run or nbgrader's may leave them."""
    hostile = notebook.metadata
    hostile.update(
        title=EVIL,
        authors=[{"name": EVIL}],
        language_info={"name": EVIL, "pygments_lexer": EVIL},
        classroom={"notes": [f"A note about {EVIL}."]},
        widgets={"application/vnd.jupyter.widget-state+json": {"state": {EVIL: f"</script>{EVIL}"}}},
    )
    for number, text in enumerate(MARKDOWN):
        cell = new_markdown_cell(text, id=f"markdown-{number}")
        cell.metadata = nbformat.from_dict({"classroom": {"notes": [EVIL]}, "alt": EVIL, "tags": [EVIL]})
        cell["attachments"] = {
            "evil.svg": {"image/svg+xml": base64.b64encode(EVIL.encode()).decode()},
            "there.png": {"image/png": PICTURE},
            "page.html": {"text/html": f'"{EVIL}'},
        }
        notebook.cells.append(cell)
    for kind in ("text/html", "text/markdown", "application/javascript", ""):
        notebook.cells.append(new_raw_cell(EVIL, metadata={"raw_mimetype": kind}))
    notebook.cells.append(new_code_cell(EVIL, outputs=[new_output("stream", text=EVIL)]))
    notebook.cells.append(new_code_cell(f"%%html\n{EVIL}", outputs=[nbformat.from_dict(o) for o in OUTPUTS]))
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution") and cell.cell_type == "markdown":
            cell.source = EVIL
    return notebook


def _slow(notebook: Any) -> Any:
    """Each cell is below what is shown of one; together they take markdown's library minutes."""
    notebook.cells += [new_markdown_cell("\\begin{a}" * 3_300, id=f"slow-{n}") for n in range(60)]
    return notebook


def _autograded(folder: ClassFolder, student: str) -> Path:
    return folder.autograded(student, CHAPTER) / f"{CHAPTER}.ipynb"


def _change(folder: ClassFolder, student: str, change: Callable[[Any], Any]) -> None:
    path = _autograded(folder, student)
    notebook = change(nbformat.read(path, as_version=4))
    path.chmod(0o644)
    path.write_text(nbformat.writes(notebook))


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    folder = new_class(tmp_path_factory.mktemp("pages") / "class")
    release(folder, CHAPTER)
    for attack in every_attack():
        if attack.name in ATTACKERS:
            notebook = solved(Assignment(folder, CHAPTER).notebook, CHAPTER)
            place = folder.submitted(attack.name, CHAPTER)
            attack.hand_in(notebook, FIRST, f"{grade_id(FIRST)}-gap", place, f"{CHAPTER}.ipynb")
    for student in (NAMED, SLOW, DAMAGED):
        place = folder.submitted(student, CHAPTER)
        place.mkdir(parents=True)
        notebook = solved(Assignment(folder, CHAPTER).notebook, CHAPTER)
        for cell in notebook.cells:
            if cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("solution"):
                cell.source = "Because."
        place.joinpath(f"{CHAPTER}.ipynb").write_text(nbformat.writes(notebook))
    with open_gradebook(folder) as book:
        for student in (*ATTACKERS, NAMED, SLOW, DAMAGED):
            book.update_or_create_student(student, first_name=EVIL, last_name=f'"{EVIL}\\', email=EVIL)
    list(grade_class(folder, [CHAPTER], jobs=2))
    _change(folder, NAMED, _hostile)
    _change(folder, SLOW, _slow)
    shutil.copytree(_autograded(folder, SLOW).parent, folder.autograded(FOREIGN, CHAPTER))
    _change(folder, FOREIGN, lambda notebook: notebook)
    _autograded(folder, DAMAGED).chmod(0o644)
    _autograded(folder, DAMAGED).write_text("{")
    folder.autograded(NAMED, CHAPTER).joinpath("evil.html").write_text(EVIL)
    return folder


@pytest.fixture(scope="module")
def feedback(graded: ClassFolder) -> tuple[ClassFolder, str]:
    """The class with its feedback, and what nbgrader said."""
    done = nbgrader(graded, "generate_feedback", CHAPTER)
    return graded, done.stdout + done.stderr


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


TOKEN = "for-this-test"
WAYS = {
    "classroom": [sys.executable, "-m", "solutions.classroom", "formgrader", ".", "--no-browser"],
    "jupyter": [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"],
}


@pytest.fixture(scope="module", params=WAYS)
def formgrader(graded: ClassFolder, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a running formgrader, opened by our command and by plain `jupyter lab` in the class folder."""
    with _server(graded, WAYS[request.param]) as address:
        yield address


@contextmanager
def _server(folder: ClassFolder, command: list[str]) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [*command, f"--port={port}"],
        cwd=folder.root,
        env=environment() | {"JUPYTER_TOKEN": TOKEN},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield _answering(f"http://127.0.0.1:{port}", server)
    finally:
        os.killpg(server.pid, 15)
        server.wait()


def _answering(address: str, server: "subprocess.Popen[bytes]") -> str:
    """The address, as soon as somebody answers there."""
    for _ in range(600):
        assert server.poll() is None, "the server has ended"
        try:
            urllib.request.urlopen(f"{address}/api", timeout=5).close()
            return address
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError("the server does not answer")


@dataclass
class Opened:
    """A page, and what it tried."""

    page: Page
    dialogs: list[str] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def is_harmless(self) -> None:
        """Nothing ran, nothing was loaded, nothing had to be refused."""
        assert self.page.evaluate("window.attacked") is None
        assert not self.dialogs
        assert not self.abroad
        assert not self.complaints


def _open(browser: Browser, address: str, change: Callable[[Route], None] | None = None) -> Opened:
    """A page of this machine; whatever it wants from elsewhere is refused at once, as without a network."""
    page = browser.new_page(extra_http_headers={"Authorization": f"token {TOKEN}"})
    opened = Opened(page)
    page.on("dialog", lambda dialog: (opened.dialogs.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    page.on("console", lambda said: opened.complaints.append(said.text) if said.type == "error" else None)

    def elsewhere(route: Route) -> None:
        opened.abroad.append(route.request.url)
        route.abort()

    page.route(re.compile(r"^https?://(?!127\.0\.0\.1[:/])"), elsewhere)
    if change:
        page.route(address, change)
    page.goto(address, wait_until="load", timeout=60_000)
    for element in page.locator("a[href^=javascript], [onclick]:not(nav *, button, a)").all():
        element.dispatch_event("click")
    page.wait_for_timeout(500)  # a script that were let in would have run by now
    return opened


def _submission(folder: ClassFolder, student: str) -> str:
    with open_gradebook(folder) as book:
        return str(book.find_submission_notebook(CHAPTER, CHAPTER, student).id)


def _feedback_page(folder: ClassFolder, student: str) -> Path:
    return folder.feedback(student, CHAPTER) / f"{CHAPTER}.html"


@pytest.mark.parametrize("student", [*ATTACKERS, NAMED, SLOW, DAMAGED, FOREIGN])
def test_feedback_runs_and_loads_nothing(
    feedback: tuple[ClassFolder, str], browser: Browser, student: str
) -> None:
    path = _feedback_page(feedback[0], student)
    text = path.read_text()
    assert "<script" not in re.sub(r"&lt;", "", text)
    assert f'content="{CSP.replace(chr(39), "&#39;")}"' in text
    opened = _open(browser, path.as_uri())
    opened.is_harmless()
    assert opened.page.evaluate("document.scripts.length") == 0
    assert opened.page.evaluate("document.documentElement.lang") == "en"
    assert opened.page.locator("h1").count() == 1
    opened.page.close()


def test_feedback_shows_formulas_pictures_and_notes(
    feedback: tuple[ClassFolder, str], browser: Browser
) -> None:
    opened = _open(browser, _feedback_page(feedback[0], NAMED).as_uri())
    page = opened.page
    assert page.locator("math msup").last.bounding_box()["width"] > 0  # type: ignore[index]
    assert r"\nonsense{x}" in page.locator("code.tex").all_inner_texts()
    assert page.locator(f"img[src*='{PICTURE}']").count() == 1
    assert "(a picture that is not there: gone)" in page.inner_text("main")
    assert EVIL in page.inner_text("main .note >> nth=0")
    assert f"A note about {EVIL}." in page.inner_text("header")
    assert "of 18 points" in page.inner_text("header .sum")
    assert page.locator("main .points.right").count() == 0, "nobody writes in the page's own voice"
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_feedback_begins_with_what_was_found_in_each_exercise_and_what_to_do_next() -> None:
    from solutions.classroom.feedback import pages

    notebook = student_notebook(CHAPTER)
    said = {
        "hard_attention": ("✔ Right. (2 of 2 points)\n", 2.0),
        "soft_attention": ("✘ It differs (by 3). (0 of 3 points)", 0.0),
    }
    for cell in notebook.cells:
        facts = cell.metadata.get("nbgrader", {})
        name = cell.source.removeprefix("check(").removesuffix(")")
        if name in said:
            text, facts["score"] = said[name]
            right = text.startswith("✔")
            cell.outputs = [
                new_output("stream", name="stdout", text=text)
                if right
                else new_output("error", ename="x", evalue="y", traceback=[text])
            ]
        elif facts.get("grade") and facts.get("solution"):
            facts["score"], facts["comment"] = 2.0, "Well argued."
    text = pages.page(
        "feedback", notebook, {"notebook": "x", "score": 4, "max_score": 8, "late_penalty": 0, "reason": ""}
    )
    summary = BeautifulSoup(text, "html.parser").find("nav")
    assert summary is not None
    rows = [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])]
        for row in summary.find_all("tr")
    ]
    assert rows[1:] == [
        ["hard_attention", "2 of 2", "Right."],
        ["soft_attention", "0 of 3", "It differs (by 3)."],
        ["the attentive bank", "2 of 3", "Your answer in words. Well argued."],
    ]
    assert "To go on: open your notebook" in text


def test_every_formula_of_the_chapters_is_shown_as_mathml() -> None:
    found = 0
    for chapter in chapters():
        for cell in source_notebook(chapter).cells:
            if cell.cell_type == "markdown":
                text = markdown(cell.source)
                assert 'class="tex"' not in text, (chapter, text)
                found += text.count("<math")
    assert found > 190


def test_a_formula_in_a_description_stays_text() -> None:
    assert '<img alt="y">' in markdown("![$y$](x)")


def test_what_takes_too_long_is_shown_as_plain_text_with_the_reason(
    feedback: tuple[ClassFolder, str],
) -> None:
    text = _feedback_page(feedback[0], SLOW).read_text()
    assert "This page is plain text" in text
    assert text.count("\\begin{a}") == 60 * 3_300
    assert "points)" in text, "the verdicts are there"


def test_a_page_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    from solutions.classroom.feedback import pages

    notebook = _slow(nbformat.v4.new_notebook())
    monkeypatch.setattr(pages, "SECONDS", 1)
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        text = pages.page("feedback", notebook, {"notebook": "x", "score": None, "reason": ""})
        assert pages.SLOW in text
        spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        assert spent < 15, "it takes more than half a minute in full"
    quick = nbformat.v4.new_notebook(cells=[new_markdown_cell("A **bold** word.")])
    monkeypatch.setattr(pages, "SECONDS", 30)
    assert "<strong>bold</strong>" in pages.page(
        "feedback", quick, {"notebook": "x", "score": None, "reason": ""}
    )


def test_a_cell_is_shown_up_to_a_limit_and_stays_whole_in_the_notebook() -> None:
    from solutions.classroom.feedback import pages

    long = "x = 1\n" * SHOWN
    notebook = nbformat.v4.new_notebook(cells=[new_code_cell(long)])
    text = pages.page("feedback", notebook, {"notebook": "x", "score": None, "reason": ""})
    assert len(text) < 40 * SHOWN
    assert "Shown are the first 30,000 of 180,000 characters. All of it was graded." in text
    assert notebook.cells[0].source == long


def test_whatever_shape_a_notebook_has_a_page_can_be_written() -> None:
    from solutions.classroom.feedback import pages

    odd = nbformat.from_dict(
        {
            "metadata": {"classroom": {"notes": "none", "unreadable": 3}},
            "cells": [
                {
                    "cell_type": "markdown",
                    "source": "half \ud83d ![x](attachment:x)",
                    "metadata": {"nbgrader": 1},
                },
                {"cell_type": "markdown", "source": [1, "a"], "metadata": {}, "attachments": {"x": 3}},
                {"cell_type": "code", "source": None, "metadata": {}, "outputs": [1, {"data": 3}, {}]},
                {"cell_type": "other", "source": "[" * 3_000, "metadata": {"classroom": "x"}},
                {"cell_type": "markdown", "source": "> " * 5_000, "metadata": {}},
            ],
        }
    )
    text = pages.page("feedback", odd, {"notebook": "x", "score": None, "reason": ""})
    assert "half ?" in text
    text.encode()


def test_a_damaged_or_unknown_notebook_is_one_sentence_and_stops_nobody(
    feedback: tuple[ClassFolder, str],
) -> None:
    folder, said = feedback
    assert "Traceback" not in said
    assert f"{DAMAGED}, {CHAPTER}: The graded notebook is damaged." in said
    assert f"{FOREIGN}, {CHAPTER}: The gradebook does not know this submission." in said
    assert "The graded notebook is damaged." in _feedback_page(folder, DAMAGED).read_text()


@pytest.mark.parametrize("student", [*ATTACKERS, NAMED, SLOW, DAMAGED])
def test_formgrader_runs_no_script_of_a_student_and_needs_no_network(
    graded: ClassFolder, browser: Browser, formgrader: str, student: str
) -> None:
    notebook = _submission(graded, student)
    opened = _open(browser, f"{formgrader}/formgrader/submissions/{notebook}/")
    opened.is_harmless()
    page = opened.page
    if student != DAMAGED:
        boxes = len(exercises_of(CHAPTER)) + 1
        assert page.locator("input.score").count() == boxes, "the boxes for scores are there"
    if student in ATTACKERS:
        assert page.locator("math").count() > 0, "formulas are typeset"
    if student == SLOW:
        assert "This page is plain text" in page.inner_text("main")
    page.close()


def test_formgrader_s_own_scripts_still_work(graded: ClassFolder, browser: Browser, formgrader: str) -> None:
    notebook = _submission(graded, ATTACKERS[0])
    opened = _open(browser, f"{formgrader}/formgrader/submissions/{notebook}/")
    page = opened.page
    assert page.locator("a.name-shown").is_hidden()
    page.locator("span.name-hidden").click()
    assert EVIL in page.inner_text("a.name-shown")
    box = page.locator(".nbgrader_cell:has(textarea) input.score").first
    with page.expect_response(re.compile("/api/grade/")):
        box.press_sequentially("1.5")
        box.press("Escape")
    words = page.locator("textarea.comment").first
    with page.expect_response(re.compile("/api/comment/")):
        words.press_sequentially("Well argued.")
        words.press("Escape")
    opened.is_harmless()
    page.close()
    with open_gradebook(graded) as book:
        submission = book.find_submission_notebook(CHAPTER, CHAPTER, ATTACKERS[0])
        assert 1.5 in [grade.manual_score for grade in submission.grades]
        assert "Well argued." in [comment.manual_comment for comment in submission.comments]
        for grade in submission.grades:
            grade.manual_score = None
        for comment in submission.comments:
            comment.manual_comment = None
        book.db.commit()


def test_a_typical_answer_s_points_and_sentence_are_used_by_one_click(
    graded: ClassFolder, browser: Browser, formgrader: str
) -> None:
    guide = guides()["the-attentive-bank"]
    opened = _open(browser, f"{formgrader}/formgrader/submissions/{_submission(graded, ATTACKERS[0])}/")
    page = opened.page
    page.get_by_text("How to read it").click()
    assert guide.model in page.inner_text(".guide")
    with page.expect_response(re.compile("/api/grade/")), page.expect_response(re.compile("/api/comment/")):
        page.locator("button.use").nth(1).click()
    opened.is_harmless()
    page.close()
    with open_gradebook(graded) as book:
        submission = book.find_submission_notebook(CHAPTER, CHAPTER, ATTACKERS[0])
        assert guide.typical[1].points in [grade.manual_score for grade in submission.grades]
        assert guide.typical[1].say in [comment.manual_comment for comment in submission.comments]
        for grade in submission.grades:
            grade.manual_score = None
        for comment in submission.comments:
            comment.manual_comment = None
        book.db.commit()


def test_formgrader_s_lists_show_hostile_names_as_text(
    graded: ClassFolder, browser: Browser, formgrader: str
) -> None:
    named = urllib.request.quote(NAMED)  # type: ignore[attr-defined]
    for path, click, words in [
        ("manage_assignments", "Add new assignment...", "Add New Assignment"),
        (f"manage_submissions/{CHAPTER}", "", NAMED),
        ("gradebook", "", CHAPTER),
        (f"gradebook/{CHAPTER}", "", CHAPTER),
        (f"gradebook/{CHAPTER}/{CHAPTER}", "Show All Names", EVIL),
        ("manage_students", "Add new student...", NAMED),
        (f"manage_students/{named}", "", CHAPTER),
        (f"manage_students/{named}/{CHAPTER}", "", CHAPTER),
        (
            f"manage_students/{urllib.request.quote(chr(34) + ';window.attacked=1;' + chr(34))}",
            "",
            "no submission",
        ),  # type: ignore[attr-defined]
    ]:
        opened = _open(browser, f"{formgrader}/formgrader/{path}")
        opened.page.wait_for_function("!document.body.innerText.includes('Loading, please wait')")
        if click:
            opened.page.locator(f"[onclick]:has-text('{click}')").click()
            opened.page.wait_for_timeout(300)
        assert words in opened.page.inner_text("body"), path
        opened.is_harmless()
        opened.page.close()


def test_the_policy_holds_where_the_wash_does_not(
    feedback: tuple[ClassFolder, str], browser: Browser, formgrader: str, tmp_path: Path
) -> None:
    folder = feedback[0]
    notebook = _submission(folder, ATTACKERS[0])

    def unwashed(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace("</main>", f"{unwashed_parts}</main>"))

    unwashed_parts = (
        "".join(MARKDOWN[:7]) + f"<script src='{formgrader}/formgrader/static/js/utils.js?evil'></script>"
    )
    opened = _open(browser, f"{formgrader}/formgrader/submissions/{notebook}/", unwashed)
    assert opened.complaints, "the policy had to refuse"
    assert opened.page.evaluate("window.attacked") is None
    assert not opened.dialogs
    assert not opened.abroad
    opened.page.close()
    path = tmp_path / "page.html"
    page = _feedback_page(folder, ATTACKERS[0]).read_text()
    path.write_text(page.replace("</main>", "".join(MARKDOWN[:7]) + "</main>"))
    opened = _open(browser, path.as_uri())
    assert opened.complaints
    assert opened.page.evaluate("window.attacked") is None
    assert not opened.dialogs
    assert not opened.abroad
    opened.page.close()


def test_a_page_handed_in_beside_the_notebook_runs_nothing(
    graded: ClassFolder, browser: Browser, formgrader: str
) -> None:
    notebook = _submission(graded, NAMED)
    opened = _open(browser, f"{formgrader}/formgrader/submissions/{notebook}/evil.html")
    assert opened.page.evaluate("window.attacked") is None
    assert not opened.dialogs
    opened.page.close()


def test_a_submission_whose_notebook_is_gone_is_one_sentence(
    graded: ClassFolder, browser: Browser, formgrader: str
) -> None:
    notebook, path = _submission(graded, SLOW), _autograded(graded, SLOW)
    path.rename(path.with_suffix(".away"))
    try:
        opened = _open(browser, f"{formgrader}/formgrader/submissions/{notebook}/")
        assert "The graded notebook is not there any more" in opened.page.inner_text("body")
        opened.page.close()
    finally:
        path.with_suffix(".away").rename(path)


def test_the_report_runs_and_loads_nothing(graded: ClassFolder, browser: Browser) -> None:
    opened = _open(browser, write_page(graded, [CHAPTER]).as_uri())
    assert NAMED in opened.page.inner_text("body")
    opened.is_harmless()
    assert opened.page.evaluate("document.scripts.length") == 0
    opened.page.close()


def test_the_browser_would_notice_a_script(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    for text in MARKDOWN[:1]:
        path.write_text(f"<body>{text}</body>")
        opened = _open(browser, path.as_uri())
        assert opened.page.evaluate("window.attacked") == 1
        assert opened.dialogs == ["1"]
        opened.page.close()
