"""What a stranger wrote, as HTML that does nothing but show: markdown, formulas, code and outputs.

Every function returns markup that is safe to put between two tags; pages escape everything else. Formulas become MathML
here, so that pages need neither a script nor a network.
"""

import base64
import binascii
import html
import re
import secrets
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree import ElementTree

import bleach
from bleach.css_sanitizer import CSSSanitizer
from bleach.html5lib_shim import Filter
from latex2mathml.converter import convert_to_element
from markupsafe import Markup, escape
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

SHOWN = 30_000
"""Characters of one cell's source, or of one output, that a page shows. What is graded is never cut."""

LARGEST_PICTURE = 3_000_000
"""Characters of a picture in base64."""

_PICTURES = ("image/png", "image/jpeg")
_TAGS = frozenset(
    re.findall(
        r"\w+",
        "a abbr b blockquote br code dd del details div dl dt em h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp"
        " small span strong sub summary sup table tbody td tfoot th thead tr tt u ul var",
    )
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of writing."""


def cut(text: str) -> tuple[str, str]:
    """At most SHOWN characters, and the sentence that says so where there were more."""
    if len(text) <= SHOWN:
        return text, ""
    return text[:SHOWN], f"Shown are the first {SHOWN:,} of {len(text):,} characters."


def lines(text: str) -> Markup:
    """Text as text, without control characters; nothing here takes longer than the text is long."""
    text = re.sub(r"\x1b\[[0-9;]{0,20}m", "", text.replace("\r\n", "\n"))
    return escape(_CONTROL.sub("", text))


def code(source: str, language: str = "python") -> Markup:
    """A program, coloured."""
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return Markup("<pre>") + lines(source) + Markup("</pre>")
    return Markup(highlight(_CONTROL.sub("", source), lexer, HtmlFormatter(cssclass="code")))


_OTHERWISE = {r"\arg": r"\operatorname{arg}", "{aligned}": "{align*}"}
"""What the converter does not know, in words that it knows."""


def formula(tex: str, display: str = "inline") -> Markup:
    """A formula as MathML; as TeX where it cannot be converted."""
    known = tex
    for theirs, ours in _OTHERWISE.items():
        known = known.replace(theirs, ours)
    try:
        math = convert_to_element(known, display=display)
        for element in math.iter():
            _only_looks(element)
    except Exception:  # the converter raises many kinds, also for what is no formula
        return Markup('<code class="tex">') + lines(tex.strip()) + Markup("</code>")
    return Markup(ElementTree.tostring(math, encoding="unicode"))


_LOOKS = re.compile(
    r"xmlns|display|displaystyle|scriptlevel|mathvariant|mathcolor|mathbackground|stretchy|fence|form|separator|accent|accentunder"
    r"|movablelimits|largeop|symmetric|minsize|maxsize|lspace|rspace|width|height|depth|voffset|linethickness|columnalign|rowalign"
    r"|columnspacing|rowspacing|columnlines|rowlines|frame|framespacing|equalrows|equalcolumns|notation|linebreak|side"
)


def _only_looks(element: ElementTree.Element) -> None:
    """Attributes that say how a formula looks, and text; the converter also knows links and classes."""
    for name in [name for name in element.attrib if not _LOOKS.fullmatch(name)]:
        del element.attrib[name]
    text = html.unescape(element.text or "")
    if "\\" in text or (text.strip() == "&" and element.tag != "mtext"):
        raise ValueError(f"not understood: {text}")
    element.text = text


def markdown(source: str, attachments: dict[str, Any] | None = None) -> Markup:
    """Markdown, with its formulas, code and PNG or JPEG attachments; washed of everything that acts or loads."""
    kept = _Kept()
    renderer = _Renderer(kept, attachments or {})
    text = MarkdownWithMath(renderer=renderer).render(_CONTROL.sub("", source.replace("\r\n", "\n")))
    return kept.put_back(_wash(text, kept))


def washed(text: str) -> Markup:
    """HTML that a program wrote, washed in the same way."""
    return Markup(_wash(_CONTROL.sub("", text)))


SHOWN_PICTURE = re.compile(
    r'<img alt="([^"<>]*)"(?: width="([0-9]{1,4})")? src="data:(image/(?:png|jpeg));base64,([A-Za-z0-9+/=\s]*)">'
)
"""What `course.show` displays: a picture with its words, as HTML."""


def picture(kind: str, data: str, says: str = "", width: str = "") -> Markup:
    """A PNG or JPEG; a sentence where it is something else or too large."""
    data = "".join(data.split())
    if kind not in _PICTURES or len(data) > LARGEST_PICTURE or not _is_base64(data):
        return _said("A picture that cannot be shown here.")
    size = Markup(' width="{}"').format(width) if width else ""
    return Markup('<img src="data:{};base64,{}" alt="{}"{}>').format(kind, data, says or "picture", size)


def _is_base64(data: str) -> bool:
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _wash(text: str, kept: "_Kept | None" = None) -> str:
    """Only tags that show something. Pictures only as part of the page itself: nothing is loaded."""
    filters = [kept.out_of_attributes] if kept else []
    cleaner = bleach.Cleaner(
        tags=_TAGS,
        attributes=_allowed,
        protocols=("http", "https", "mailto", "data"),
        strip=True,
        css_sanitizer=CSSSanitizer(allowed_css_properties=["text-align"]),
        filters=filters,
    )
    return str(cleaner.clean(text))


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag == "a":
        return name == "title" or (name == "href" and re.match(r"(https?:|mailto:|#)", value) is not None)
    if tag == "img":
        ours = re.match(r"data:image/(png|jpeg|gif);base64,", value) and len(value) <= LARGEST_PICTURE
        size = name == "width" and re.fullmatch(r"[0-9]{1,4}", value)
        return name in ("alt", "title") or (name == "src" and bool(ours)) or bool(size)
    if tag in ("td", "th"):
        return name in ("style", "colspan", "rowspan", "scope")
    return tag in ("ol", "details") and name in ("start", "open")


class _Kept:
    """Markup of our own that must pass the wash: a word that nobody can guess stands in its place."""

    def __init__(self) -> None:
        self.word = f"kept{secrets.token_hex(12)}"
        self.parts: list[tuple[Markup, str]] = []

    def put(self, markup: Markup, source: str) -> str:
        self.parts.append((markup, source))
        return f"{self.word}n{len(self.parts) - 1}e"

    def put_back(self, text: str) -> Markup:
        """The washed text with our markup again; it stands between tags only."""
        return Markup(self._replaced(text, 0))

    def _replaced(self, text: str, which: int) -> str:
        return re.sub(f"{self.word}n([0-9]+)e", lambda found: str(self.parts[int(found[1])][which]), text)

    def out_of_attributes(self, source: Iterable[dict[str, Any]]) -> "_OutOfAttributes":
        return _OutOfAttributes(source, lambda text: self._replaced(text, 1))


class _OutOfAttributes(Filter):  # type: ignore[misc]
    """A formula in a picture's description stays TeX: markup in an attribute would end it."""

    def __init__(self, source: Any, as_source: Any) -> None:
        super().__init__(source)
        self.as_source = as_source

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for token in super().__iter__():
            if token["type"] in ("StartTag", "EmptyTag"):
                token["data"] = {name: self.as_source(value) for name, value in token["data"].items()}
            yield token


class _Renderer(IPythonRenderer):  # type: ignore[misc]
    """nbconvert's markdown, with formulas and code kept apart from the wash."""

    def __init__(self, kept: _Kept, attachments: dict[str, Any]) -> None:
        super().__init__(escape=False, attachments=attachments, exclude_anchor_links=True)
        self.kept = kept

    def block_math(self, body: str) -> str:
        return self.kept.put(formula(body, "block"), body)

    def inline_math(self, body: str) -> str:
        return self.kept.put(formula(body), body)

    def latex_environment(self, name: str, body: str) -> str:
        tex = f"\\begin{{{name}}}{body}\\end{{{name}}}"
        return self.kept.put(formula(tex, "block"), tex)

    def heading(self, text: str, level: int, **attributes: Any) -> str:
        """A page has one first heading, which is not a cell's."""
        return str(super().heading(text, min(level + 1, 6), **attributes))

    def block_code(self, code_: str, info: str | None = None) -> str:
        language = (info or "").split()[:1]
        return self.kept.put(code(code_, language[0] if language else "text"), code_)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Attachments, when they are there, as pictures; others are left to the wash."""
        if not url.startswith("attachment:"):
            return str(super().image(text, url, title))
        data = self.attachments.get(url.removeprefix("attachment:"))
        data = data if isinstance(data, dict) else {}
        for kind in _PICTURES:
            if isinstance(data.get(kind), str):
                return self.kept.put(picture(kind, data[kind], html.unescape(text)), text)
        return f"<em>(a picture that is not there: {text})</em>"


def output(kind: str, facts: dict[str, Any]) -> Markup:
    """One output of a cell. Scripts and widgets are named, not run."""
    if kind in ("stream", "error"):
        return plain_output(kind, facts)
    data = facts["data"]
    for mime in _PICTURES:
        if mime in data:
            return picture(mime, data[mime], cut(data.get("text/plain", ""))[0])
    if "image/svg+xml" in data:
        drawn = base64.b64encode(data["image/svg+xml"].encode()).decode()
        if len(drawn) <= LARGEST_PICTURE:
            return Markup('<img src="data:image/svg+xml;base64,{}" alt="drawing">').format(drawn)
    shown = SHOWN_PICTURE.fullmatch(data.get("text/html", ""))
    if shown:
        words, width, mime, encoded = shown.groups()
        return picture(mime, encoded, cut(html.unescape(words))[0], width or "")
    for mime, show in (("text/html", washed), ("text/markdown", markdown), ("text/latex", markdown)):
        if mime in data:
            text, more = cut(data[mime])
            return show(text) + _said(more)
    if "text/plain" in data:
        return plain_output(kind, facts)
    return _said(f"An output that is not shown here ({', '.join(sorted(data)) or 'empty'}).")


def plain_output(kind: str, facts: dict[str, Any]) -> Markup:
    """The text of an output and nothing else."""
    if kind == "stream":
        text = facts.get("text", "")
    elif kind == "error":
        text = facts.get("traceback", "")
    else:
        text = facts["data"].get("text/plain", "(not shown)")
    text, more = cut(text)
    return Markup("<pre>") + lines(text) + Markup("</pre>") + _said(more)


def _said(sentence: str) -> Markup:
    return Markup("<p><em>{}</em></p>").format(sentence) if sentence else Markup()
