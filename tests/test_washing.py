"""Whatever a student writes into a cell of text, a page that shows it does nothing, and says what was written."""

import base64
import io
import re
import struct
import time
import zlib
from urllib.parse import quote

import nbformat
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from matplotlib import pyplot as plt
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from solutions.classroom.submission.washing import JOINER, LARGEST_IMAGE, MOST_IMAGES, Images, Washed, washed


def png(width: int = 3, height: int = 2, padding: int = 0) -> str:
    """A picture in base64."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0" * (height * (width + 1) if height < 100 else 9)))
    fill = chunk(b"teXt", b"x" * padding) if padding else b""
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + head + fill + data + chunk(b"IEND", b"")).decode()


def jpeg() -> str:
    file = io.BytesIO()
    plt.imsave(file, [[0.0, 1.0]], format="jpeg")
    return base64.b64encode(file.getvalue()).decode()


def pages(cell: Washed) -> list[str]:
    """The cell as two parsers that keep every tag make a page of it: nbconvert's own, and CommonMark's."""
    renderer = IPythonRenderer(escape=False, attachments=cell.attachments)
    return [
        MarkdownWithMath(renderer=renderer).render(cell.text),
        MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").render(cell.text),
    ]


HARMLESS = re.compile(
    r"(?:https?://|mailto:|#|attachment:image-\d+\.|data:image/(?:png|jpeg);base64,)", re.IGNORECASE
)

pytestmark = pytest.mark.promise("P14")


def active(page: str) -> list[str]:
    """Everything in a page that may do something, or fetch something by itself."""
    tree = BeautifulSoup(page, "html.parser")
    found = [
        tag.name
        for tag in tree.find_all(["script", "iframe", "object", "embed", "style", "svg", "math", "form"])
    ]
    for tag in tree.find_all(True):
        for name, value in tag.attrs.items():
            value = " ".join(value) if isinstance(value, list) else str(value)
            if name.lower().startswith("on") or name.lower() in (
                "srcdoc",
                "formaction",
                "action",
                "xlink:href",
            ):
                found.append(f"{name}={value}")
            if name.lower() == "href" and not HARMLESS.match(value):
                found.append(f"{name}={value}")
            if name.lower() == "src" and not value.startswith(
                ("data:image/png;", "data:image/jpeg;", "attachment:")
            ):
                found.append(f"{name}={value}")
            if name.lower() == "class" and {"mermaid", "language-mermaid"} & set(value.split()):
                found.append(f"{name}={value}")
    return found


ATTACKS = [
    "<script>window.attacked = 1</script>",
    "<img src=x onerror=attacked()>",
    "<IMG/SRC=x OnError=attacked()>",
    "</p><svg onload=attacked()>",
    "<!-- --><math href=javascript:attacked()>",
    "<![CDATA[<img src=x onerror=attacked()>]]>",
    "<?php <img src=x onerror=attacked()> ?>",
    "<a\nhref='javascript:attacked()'>x</a>",
    "<style>*{background:url(http://example.org)}</style>",
    "[x](javascript:attacked())",
    "[x](  \n javascript:attacked())",
    "[x](<javascript:attacked()>)",
    "[x](JaVaScRiPt:attacked())",
    "[x](java\tscript:attacked())",
    "[x](&#106;avascript:attacked())",
    "[x](&#x6A;avascript&colon;attacked())",
    "[x](\\javascript:attacked())",
    "[x](vbscript:attacked())",
    "[x](data:text/html,<script>attacked()</script>)",
    "[x](data:text/html;base64,PHNjcmlwdD5hdHRhY2tlZCgpPC9zY3JpcHQ+)",
    "![x](javascript:attacked())",
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YXR0YWNrZWQoKT4=)",
    "![x](https://example.org/who-reads-this.png)",
    "![x](../../../gradebook.db)",
    "![x][y]\n\n[y]: https://example.org/who-reads-this.png",
    "![y]\n\n[y]: https://example.org/who-reads-this.png",
    "![a[b]c](https://example.org/who-reads-this.png)",
    "[![x](https://example.org/a.png)](https://example.org)",
    "[x]: javascript:attacked()\n\n[x]",
    "[x]:\n  javascript:attacked()\n\n[x][]",
    "> [x]:\n> javascript:attacked()\n\n[a][x]",
    "[x]: <javascript:attacked()> 'title'\n\n[a][x]",
    "- [x]: data:text/html,attacked\n\n[x]",
    "<javascript:attacked()>",
    "<https://example.org> <ada@example.org>",
    "[x](attachment:nowhere.png) ![x](attachment:nowhere.png) ![x](attachment:image-1.png)",
    "![a[b]](attachment:image-1.png)",
    "![x][y]\n\n[y]: attachment:image-1.png",
    '```mermaid\ngraph TD; A-->B; click A href "javascript:attacked()"\n<img src=x onerror=attacked()>\n```',
    "~~~ Mermaid\n<img src=x onerror=attacked()>\n~~~",
    "> ```mermaid\n> <img src=x onerror=attacked()>\n> ```",
    "```html\n<img src=x onerror=attacked()>\n```",
    "`<img src=x onerror=attacked()>`",
    "    <img src=x onerror=attacked()>",
    "$<img src=x onerror=attacked()>$ $$<img src=x onerror=attacked()>$$",
    "\\begin{a}<img src=x onerror=attacked()>\\end{a}",
    "| a |\n|---|\n| <img src=x onerror=attacked()> [x](javascript:attacked()) |",
    "# <img src=x onerror=attacked()> [x](javascript:attacked())",
    "x\0<img src=x onerror=attacked()>\x0b[x](\x01javascript:attacked())",
    "<\x0bimg src=x onerror=attacked()>",
    "[x]\x0c(javascript:attacked())",
    "<![x](data:image/png;base64,AAAA)",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_page_of_washed_text_does_nothing(attack: str) -> None:
    cell = washed(attack)
    for page in pages(cell):
        assert active(page) == []
    assert washed(cell.text).text == cell.text, "once washed, washed for ever"


def test_unwashed_most_of_these_pages_would_do_something() -> None:
    assert (
        sum(any(map(active, pages(Washed(attack)))) for attack in ATTACKS if "attachment:" not in attack) > 30
    )


@pytest.mark.parametrize(
    "macro",
    [
        r"\href{javascript:attacked()}{x}",
        r"\style{background:url(http://example.org)}{x}",
        r"\class{btn}{x}",
        r"\cssId{comment-1}{x}",
        r"\require{unicode}",
        r"\unicode[arial;x:expression(1)]{65}",
        r"\mmlToken{mi}[href='javascript:attacked()']{x}",
        r"\htmlData{x=y}{z}",
        r"\let\ok=\href \ok{javascript:attacked()}{x}",
    ],
)
def test_formulas_do_not_reach_beyond_themselves(macro: str) -> None:
    for text in (f"${macro}$", f"$$\n{macro}\n$$", rf"\begin{{align}}{macro}\end{{align}}", macro):
        assert not re.search(
            r"\\(?:href|style|class|cssId|require|unicode|mmlToken|html)", washed(text).text
        ), text


UNCHANGED = [
    "if a < b and b <3 then a <= 3, or a<-b",
    "if $a < b$ and $$\\sum_i w_i^2 < 1$$ and $x_{[1]}$",
    "[x](https://example.org), [y](#here), [m](mailto:ada@example.org), ada@example.org, https://example.org",
    "[x]: https://example.org\n\n[x] and `f[i]`, w[0] and (this)",
    "# Title\n\n* one\n* two!\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nx[1] = y < z\n```",
    r"$\frac{a}{b} \text{ where } \|w\| \classical$, $\data$base, \newcommand{\R}{R}".replace(
        r" \classical$, $\data$base", "$"
    ),
    "ä, é, 中, 🙂, &lt; and &amp;",
]


@pytest.mark.parametrize("text", UNCHANGED)
def test_what_is_harmless_stays_as_it_was_written(text: str) -> None:
    assert washed(text) == Washed(text)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("if a<b then b>a", "if a<b then b>a"),
        ("`List<int>` and <ada@example.org>", "List<int> and <ada@example.org>"),
        ("w[i](x), and d[k]: 3", "w[i](x), and d[k]: 3"),
        ("$a<b$ and $f[i](x)$", "$a< b$ and $f[i] (x)$"),
        ("Look!\n\n    x[0](1) <b>\n", "Look!\nx[0](1) <b>"),
    ],
)
def test_a_person_reads_what_was_written(written: str, read: str) -> None:
    page = pages(washed(written))[0]
    assert BeautifulSoup(page, "html.parser").get_text().replace(JOINER, "").strip() == read


FRAGMENTS = st.sampled_from(
    [
        "<", ">", "[", "]", "(", ")", "!", "`", "```", "~~~", "mermaid", "$", "$$", "\\", "\n", "\n\n", " ", "    ", ":", '"', "'",
        "&#106;", "&lt;", "#", "*", "|", "|---|", "-", "\0", "\t", "img src=x onerror=a()", "script", "/script", "!--", "?", "a href=",
        "javascript:a()", "data:text/html,a", "https://example.org", "attachment:", "attachment:a.png", "attachment:image-1.png", "x",
        "![x](attachment:a.png)", f"![x](data:image/png;base64,{png()})", "\\begin{a}", "\\end{a}", "[x]: ", "\\href{", "}",
        "[x](", "![", "](", "]:", "![x](", "<!", "<![", "CDATA[", JOINER, "\u00a0", "\u2028", "\x0b",
    ]
)  # fmt: skip


@given(st.lists(FRAGMENTS, max_size=14).map("".join))
@settings(max_examples=400, deadline=None)
def test_no_mixture_whatever_makes_a_page_do_something(text: str) -> None:
    cell = washed(text, {"a.png": {"image/png": png()}})
    for page in pages(cell):
        assert active(page) == []


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_nothing_is_lost_but_control_characters(text: str) -> None:
    text = text.replace("$", "").replace("![", "")
    kept = "".join(c for c in text if c in "\t\n" or not (ord(c) < 32 or 127 <= ord(c) < 160))
    assert washed(text).text.replace(JOINER, "") == kept.replace(JOINER, "")


@pytest.mark.parametrize("data", [png(), jpeg()])
@pytest.mark.parametrize(
    "name", ["plot.png", "my plot (1).png", "<script>.png", "../../x", "ünï", "a%20b.png"]
)
def test_images_of_an_answer_are_kept_under_a_plain_name(name: str, data: str) -> None:
    kind = "image/png" if data == png() else "image/jpeg"
    cell = washed(f"See ![my *plot*](attachment:{quote(name)}) here", {name: {kind: data}})
    (kept,) = cell.attachments
    assert re.fullmatch(r"image-1\.(png|jpeg)", kept)
    assert cell.text == f"See ![my *plot*](attachment:{kept}) here"
    assert cell.attachments[kept] == {kind: data}
    assert not cell.left_out
    assert f"data:{kind};base64,{data}" in pages(cell)[0]
    assert washed(cell.text, cell.attachments) == cell


def test_images_that_colab_writes_into_the_text_become_attachments() -> None:
    cell = washed(f"![image.png](data:image/png;base64,{png()})")
    assert cell == Washed("![image.png](attachment:image-1.png)", {"image-1.png": {"image/png": png()}})


def test_images_named_nowhere_are_shown_below() -> None:
    cell = washed("Look:", {"\ud800.png": {"image/png": png()}})
    assert cell.text == "Look:\n\n![image-1.png](attachment:image-1.png)"


@pytest.mark.parametrize(
    "bundle",
    [
        {"image/svg+xml": base64.b64encode(b"<svg onload=attacked()>").decode()},
        {"image/png": base64.b64encode(b"<svg onload=attacked()>").decode()},
        {"image/png": "no base64!"},
        {"image/png": png()[:20]},
        {"image/png": png(padding=LARGEST_IMAGE)},
        {"image/png": png(60_000, 60_000)},
        {"image/jpeg": base64.b64encode(b"\xff\xd8\xff\xe0\0\0").decode()},
        {"image/png": 7},
        {"text/html": "<script>"},
        {},
        [],
        None,
    ],
)
def test_other_attachments_are_left_out_and_said_to_be(bundle: object) -> None:
    cell = washed("![x](attachment:a.png)", {"a.png": bundle})
    assert cell.attachments == {}
    assert cell.left_out
    assert [active(page) for page in pages(cell)] == [[], []]


def test_a_notebook_has_so_many_images_and_not_more() -> None:
    images = Images()
    cells = [
        washed("", {str(n): {"image/png": png()} for n in range(MOST_IMAGES - 1)}, images) for _ in range(2)
    ]
    assert [len(cell.attachments) for cell in cells] == [MOST_IMAGES - 1, 1]
    assert [cell.left_out for cell in cells] == [False, True]
    assert not set(cells[0].attachments) & set(cells[1].attachments)


def test_washing_takes_time_in_proportion() -> None:
    for part in (
        "![",
        "](",
        "$",
        "$$",
        "$a",
        "<",
        "[x](data:image/png;base64,",
        "![x](attachment:a(b",
        "```",
        '![x](attachment:a "',
    ):
        start = time.process_time()
        washed(part * (400_000 // len(part)))
        assert time.process_time() - start < 2, part


def test_an_image_reaches_the_page_that_nbconvert_makes() -> None:
    cell = washed("![x](attachment:a.png)", {"a.png": {"image/png": png()}})
    node = nbformat.v4.new_markdown_cell(cell.text, attachments=cell.attachments)
    page, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[node]))
    assert f"data:image/png;base64,{png()}" in page
