"""What every class folder's `nbgrader_config.py` calls: our parts of all rooms, put into nbgrader. The name is kept for good.

Everything else of nbgrader is used as it is.
"""

import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

from solutions.classroom.access import follow, is_shared
from solutions.classroom.feedback.formgrader_guard import guard
from solutions.classroom.folder import ClassFolder
from solutions.classroom.gradebook import course_id_of
from solutions.classroom.grading.class_rules import AUTOGRADE, HERE
from solutions.classroom.grading.exchange import careful_timestamps
from solutions.classroom.release.publish import finish_what_was_killed
from solutions.classroom.release.source_notebook import ANSWER, STUB


def configure(config: Any, config_file: str) -> None:
    """Everything that a class folder's nbgrader needs to know."""
    warnings.filterwarnings("ignore", module="nbgrader")  # SQLAlchemy 2 warns in every call of nbgrader's own
    root = Path(config_file).resolve().parent
    folder = ClassFolder(root)
    finish_what_was_killed(folder)
    config.CourseDirectory.groupshared = is_shared(root)
    follow(root)
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.course_id = course_id_of(folder)
    config.ClearSolutions.code_stub = {"python": "\n".join(STUB)}
    config.ClearSolutions.text_stub = ANSWER
    for name, value in AUTOGRADE.items():
        setattr(config.Autograde, name, deepcopy(value))
    config.GenerateAssignment.exporter_class = f"{HERE}.ReleaseExporter"
    config.ExchangeFactory.collect = "solutions.classroom.grading.exchange.Collect"
    config.GenerateFeedback.exporter_class = "solutions.classroom.feedback.pages.FeedbackPage"
    config.ExportApp.plugin_class = "solutions.classroom.feedback.export.GradesWithState"
    config.HTMLExporter.sanitize_html = True
    careful_timestamps()
    guard()
