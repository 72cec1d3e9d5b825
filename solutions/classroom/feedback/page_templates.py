"""The templates of feedback and of formgrader's pages: ours, and behind them nbgrader's own."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader
from nbgrader.server_extensions.formgrader.handlers import template_path

HERE = Path(__file__).parent / "templates"
NBGRADER = Path(template_path)


class _WithNonces(FileSystemLoader):
    """nbgrader's own templates: each script bears the page's nonce, and what a script is told is quoted for scripts."""

    def get_source(self, environment: Environment, template: str) -> Any:
        source, path, fresh = super().get_source(environment, template)
        source = re.sub(r"<script\b", '<script nonce="{{ nonce }}"', source)
        source = re.sub(r'= "\{\{ ([\w.]+) \}\}";', r"= {{ \1 | tojson }};", source)
        return source, path, fresh


@cache
def templates() -> Environment:
    """Our templates, then nbgrader's. Whatever is not marked as markup is escaped."""
    theirs = _WithNonces([NBGRADER, NBGRADER / "formgrade"])
    return Environment(loader=ChoiceLoader([FileSystemLoader(HERE), theirs]), autoescape=True)
