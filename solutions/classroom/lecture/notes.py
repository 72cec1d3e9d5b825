"""The lecturer's notes: `docs/teaching/NN.md`, by the headings of the chapter's sections."""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "teaching"
NOTES = "## Notes to the sections"
"""The heading under which a chapter's notes begin; each has the section's own heading, one level lower."""


def notes_of(chapter: str) -> dict[str, str]:
    """The chapter's section → what to say, ask or do there, as markdown; nothing for sections without notes."""
    path = FOLDER / f"{chapter[:2]}.md"
    text = path.read_text("utf-8") if path.exists() else ""
    part = re.split(r"^## ", text.partition(NOTES)[2], maxsplit=1, flags=re.MULTILINE)[0]
    pieces = re.split(r"^### +(.+)$", part, flags=re.MULTILINE)[1:]
    return {heading.strip(): body.strip() for heading, body in zip(pieces[::2], pieces[1::2], strict=True)}
