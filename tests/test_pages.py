"""What an instructor opens, in a real browser without a network: no script of a student runs, and formgrader works."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attacks import every_attack
from playwright.sync_api import Browser, sync_playwright

from solutions.classroom.build import grade_id
from solutions.classroom.folder import ClassFolder, new_class
from solutions.classroom.grade import grade_class
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.release import environment, nbgrader, release
from solutions.classroom.simulate import solved

CHAPTER, FIRST = "10_attention", "hard_attention"
ATTACKERS = ("scripts_in_markdown", "scripts_in_outputs")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    folder = new_class(tmp_path_factory.mktemp("pages") / "class")
    release(folder, CHAPTER)
    for attack in every_attack():
        if attack.name in ATTACKERS:
            notebook = solved(folder.released_notebook(CHAPTER), CHAPTER)
            place = folder.submitted(attack.name, CHAPTER)
            attack.hand_in(notebook, FIRST, f"{grade_id(FIRST)}-gap", place, f"{CHAPTER}.ipynb")
    assert len(list(grade_class(folder, [CHAPTER], jobs=2))) == len(ATTACKERS)
    nbgrader(folder, "generate_feedback", CHAPTER)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def formgrader(graded: ClassFolder) -> Iterator[str]:
    """The address of a running formgrader, and the token that opens it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "solutions.classroom", "formgrader", str(graded.root)]
    server = subprocess.Popen(
        [*command, f"--port={port}", "--no-browser"],
        env=environment() | {"JUPYTER_TOKEN": "for-this-test"},
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


def _open(browser: Browser, address: str) -> Any:
    """A page of this machine; whatever it wants from elsewhere is refused at once, as without a network."""
    page = browser.new_page()
    elsewhere = re.compile(r"^https?://(?!127\.0\.0\.1[:/])")
    page.route(elsewhere, lambda route: route.abort())
    page.goto(address, wait_until="load", timeout=60_000)
    page.wait_for_timeout(500)  # a script that were let in would have run by now
    return page


@pytest.mark.parametrize("student", ATTACKERS)
def test_feedback_runs_no_script_of_a_student(graded: ClassFolder, browser: Browser, student: str) -> None:
    path = graded.feedback(student, CHAPTER) / f"{CHAPTER}.html"
    page = _open(browser, path.as_uri())
    assert "window.attacked" in page.inner_text("body")
    assert page.evaluate("window.attacked") is None
    page.close()


@pytest.mark.parametrize("student", ATTACKERS)
def test_formgrader_runs_no_script_of_a_student_and_needs_no_network(
    graded: ClassFolder, browser: Browser, formgrader: str, student: str
) -> None:
    with open_gradebook(graded) as book:
        notebook = book.find_submission_notebook(CHAPTER, CHAPTER, student).id
    page = _open(browser, f"{formgrader}/formgrader/submissions/{notebook}/?token=for-this-test")
    page.wait_for_function("window.MathJax && MathJax.Hub && MathJax.Hub.queue.pending === 0", timeout=60_000)
    assert "window.attacked" in page.inner_text("body")
    assert page.evaluate("window.attacked") is None
    assert page.locator(".score").count() > 1, "the boxes for scores are there"
    assert page.locator(".MathJax, .MathJax_Display").count() > 0, "formulas are typeset"
    page.close()


def test_the_browser_would_notice_a_script(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("<body>x<img src=x onerror='window.attacked = 1'></body>")
    page = _open(browser, path.as_uri())
    assert page.evaluate("window.attacked") == 1
    page.close()
