"""Text of a stranger, made harmless once, at intake, and still text: formgrader, feedback and Jupyter make pages of it.

Where we make the HTML ourselves, feedback/sanitize.py sees to it that the page does nothing but show, whatever comes.

A page can do something only where one of a few characters meets another: `<` and a letter open a tag, `](` a link, `![` a
picture. Washing puts an invisible character between them, wherever they stand and whatever a parser would think of the
place. So a person reads what was written, also in code spans, and no parser has to be agreed with. Code cells are
not washed: they are shown as text and run as written.
"""

import base64
import binascii
import re
import struct
from dataclasses import dataclass, field
from urllib.parse import unquote

JOINER = "\u2060"
"""The word joiner: no width, no meaning, and no part of any tag, link or formula."""

LARGEST_IMAGE = 5_000_000
MOST_IMAGES = 20
MOST_PIXELS = 120_000_000
"""What a good telephone takes; a browser keeps four bytes for each."""

LEFT_OUT = (
    f"An image of this cell was left out: PNG and JPEG up to {LARGEST_IMAGE // 1_000_000} MB are kept,"
    f" at most {MOST_IMAGES} in a notebook."
)

_FORMULA = re.compile(r"((?<!\\)\$\$(?:[^$]|\$(?!\$))*\$\$|(?<![\\$])\$[^$\n]+\$)")
"""What looks like a formula, between dollars. There a space is what nobody sees."""

_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_MACRO = re.compile(
    r"\\(?=(?:href|url|style|class|cssId|data|html[A-Za-z]*|require|unicode|mmlToken|action|toggle|texttip|mathtip)"
    r"(?![A-Za-z]))"
)
"""What lets a formula reach beyond itself, in MathJax 2 to 4."""

_DIAGRAM = re.compile(r"[`~][ \t]*(?=mermaid)", re.IGNORECASE)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ELSEWHERE = r"[(:][ \t\n]*(?:https?://|mailto:|#)"
_IMAGE = re.compile(
    r"!\[([^\[\]\n]{0,1000})\]\([ \t]*<?(attachment:|data:image/[a-z+.]+;base64,)"
    r"([^()\s<>]*(?:\([^()\s<>]*\)[^()\s<>]*)*)>?(?:[ \t]+\"[^\"\n]*\")?[ \t]*\)",
    re.IGNORECASE,
)
_INLINE = re.compile(r"data:image/[a-z+.]+;base64,[A-Za-z0-9+/=%]*", re.IGNORECASE)

_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg"}


def visible(text: str) -> str:
    """Without the control characters, of which a page shows nothing."""
    return _CONTROLS.sub("", text)


@dataclass
class Washed:
    """A markdown cell that may be shown: its text, the images that it shows, and whether some were left out."""

    text: str
    attachments: dict[str, dict[str, str]] = field(default_factory=dict)
    left_out: bool = False


@dataclass
class Images:
    """The images of one notebook, counted: each gets a name of its own."""

    kept: int = 0

    def keep(self, encoded: object) -> tuple[str, dict[str, str]] | None:
        """Name and attachment of an image in base64; None where it is none, or too much."""
        found = _image(encoded) if self.kept < MOST_IMAGES else None
        if found is None:
            return None
        kind, data = found
        self.kept += 1
        return f"image-{self.kept}.{kind}", {f"image/{kind}": base64.b64encode(data).decode("ascii")}


def washed(markdown: str, attachments: object = None, images: Images | None = None) -> Washed:
    """Markdown with its pictures: no tags, links into the web only, and images only from the cell's own attachments.

    attachments: as a notebook has them, name → kind → base64. Images within the text (`data:`, as Colab writes them)
    become attachments; those that are named nowhere are shown below the text.
    """
    images = Images() if images is None else images
    theirs = attachments if isinstance(attachments, dict) else {}
    result = Washed("")
    names: dict[str, str] = {}

    def attached(key: str) -> str:
        """The name under which one of their attachments is kept, or ""."""
        if key not in names:
            bundle = theirs[key] if isinstance(theirs[key], dict) else {}
            kept = next(filter(None, map(images.keep, _best_first(bundle))), ("", {}))
            names[key] = kept[0]
            result.attachments |= {kept[0]: kept[1]} if kept[0] else {}
        return names[key]

    def image(found: re.Match[str]) -> str:
        alt, source, rest = found.groups()
        if source.lower() == "attachment:":
            key = next((key for key in (rest, unquote(rest)) if key in theirs), None)
            name = attached(key) if key is not None else ""
        else:
            name, attachment = images.keep(unquote(rest)) or ("", {})
            result.attachments |= {name: attachment} if name else {}
            rest = rest if name else "…"
        result.left_out = result.left_out or not name
        return f"![{alt}](attachment:{name})" if name else f"![{alt}]({source}{rest})"

    text = _IMAGE.sub(image, visible(markdown))
    for key in theirs:
        if key not in names and (name := attached(key)):
            text += f"\n\n![{name}](attachment:{name})"
    result.left_out = result.left_out or not all(names.values())
    text = without_images(text)
    result.text = _broken(text, list(result.attachments))
    return result


def without_images(text: str) -> str:
    """Text without the bytes of images that are written into it."""
    return _INLINE.sub("data:image/…", text)


def _best_first(bundle: dict[object, object]) -> list[object]:
    return [bundle[kind] for kind in ("image/png", "image/jpeg", "image/jpg") if kind in bundle]


def _broken(text: str, names: list[str]) -> str:
    """The text with every pair of characters put apart that a page would act on. names: attachments that it may show."""
    shown = "|".join(re.escape(f"(attachment:{name})") for name in names) or r"(?!)"
    link = re.compile(rf"\](?=[(:])(?!{shown})(?!{_ELSEWHERE})", re.IGNORECASE)
    picture = re.compile(rf"!(?=\[)(?!\[[^\[\]\n]{{0,1000}}\](?:{shown}))")
    parts = _FORMULA.split(text)
    for position, part in enumerate(parts):
        gap = " " if position % 2 else JOINER
        for pattern in (_TAG, _MACRO, _DIAGRAM, link, picture):
            part = pattern.sub(lambda found, gap=gap: found[0] + gap, part)  # type: ignore[misc]
        parts[position] = part
    return "".join(parts)


def _image(encoded: object) -> tuple[str, bytes] | None:
    """Kind and bytes of a PNG or JPEG of a size that can be shown; None for everything else."""
    if not isinstance(encoded, str) or len(encoded) > LARGEST_IMAGE * 3 // 2:
        return None
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = next((kind for start, kind in _SIGNATURES.items() if data.startswith(start)), "")
    width, height = {"png": _png_size, "jpeg": _jpeg_size}.get(kind, lambda data: (0, 0))(data)
    return (kind, data) if len(data) <= LARGEST_IMAGE and 0 < width * height <= MOST_PIXELS else None


def _png_size(data: bytes) -> tuple[int, int]:
    return struct.unpack(">II", data[16:24]) if data[12:16] == b"IHDR" and len(data) > 24 else (0, 0)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height, from the first start-of-frame marker."""
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height
        place += 1 if marker == 0xFF else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return 0, 0
