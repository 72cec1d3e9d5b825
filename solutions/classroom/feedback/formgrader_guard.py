"""Formgrader's pages run their own scripts and no others, in every Jupyter server that reads a class folder's configuration.

`nbgrader_parts.configure` calls `guard`, and so plain `jupyter lab` in the class folder is guarded as well. nbgrader has no
setting for any of this; the three attributes of its handlers that are replaced here are where all of its pages come through.
"""

import base64
import hashlib
import re
import secrets
from functools import cache
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from nbgrader.server_extensions.formgrader.base import BaseHandler
from tornado.web import StaticFileHandler

from solutions.classroom.feedback.page_templates import NBGRADER, templates


@cache
def _buttons() -> str:
    """Hashes of the few attributes like `onclick` in nbgrader's templates: these texts may run, and no others."""
    files = [*NBGRADER.glob("*.tpl"), *NBGRADER.glob("formgrade/*.j2")]
    found = {
        text for file in files for text in re.findall(r'\son\w+="([^"]*)"', file.read_text("utf-8"), re.I)
    }
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in sorted(found))
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def policy(nonce: str) -> str:
    """The Content-Security-Policy of a page of formgrader."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'nonce-{nonce}' 'unsafe-hashes' {_buttons()}",
            "connect-src 'self'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self' data:",
            "form-action 'self'",
            "base-uri 'none'",
        ]
    )


FILE = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"
"""The policy of a file that a student handed in beside the notebook."""


def guard() -> None:
    """From now on formgrader's pages in this process are guarded."""
    BaseHandler.content_security_policy = property(_policy)
    BaseHandler.render = _render
    BaseHandler.exporter = property(_exporter)


def _nonce(handler: Any) -> str:
    if not hasattr(handler, "_nonce"):
        handler._nonce = secrets.token_urlsafe(18)
    return str(handler._nonce)


def _policy(handler: Any) -> str:
    """The server's own policy and ours: what either forbids is forbidden."""
    theirs = JupyterHandler.content_security_policy.fget(handler)  # type: ignore[attr-defined]
    return f"{theirs}, {FILE if isinstance(handler, StaticFileHandler) else policy(_nonce(handler))}"


def _render(handler: Any, name: str, **facts: Any) -> str:
    return templates().get_template(name).render(nonce=_nonce(handler), **facts)


def _exporter(handler: Any) -> Any:
    from solutions.classroom.feedback.pages import SubmissionPage

    return SubmissionPage(_nonce(handler))
