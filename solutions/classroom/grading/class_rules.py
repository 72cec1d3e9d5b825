"""How nbgrader's autograde is set up in a class folder, and what the class's own lines add to that."""

import logging
from dataclasses import dataclass

from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties

from solutions.classroom.folder import ClassFolder, ClassFolderError, configuration

HERE = "solutions.classroom.grading.nbgrader_hooks"

AUTOGRADE = {
    "exporter_class": f"{HERE}.SubmissionExporter",
    "pre_convert_hook": f"{HERE}.take_by_any_name",
    "sanitize_preprocessors": [],
    "post_convert_hook": f"{HERE}.tidy",
    "autograde_preprocessors": [
        f"{HERE}.RunInSandbox",
        f"{HERE}.SaveAtOnce",
        "nbgrader.preprocessors.AssignLatePenalties",
    ],
}
"""How nbgrader's autograde is set up in every class folder."""


@dataclass(frozen=True)
class ClassRules:
    """What the class folder's nbgrader_config.py says of grading, beyond what ours says.

    permissions: of the graded files. shared: whether a group works in the folder. ignored: patterns of files that are
    not copied. kept: chapter → files of students that the source's do not replace. late: nbgrader's way to the policy.
    """

    permissions: int
    shared: bool
    ignored: list[str]
    kept: dict[str, list[str]]
    late: AssignLatePenalties


def class_rules(folder: ClassFolder) -> ClassRules:
    """Read them. Raises ClassFolderError where nbgrader's autograde was told to do other things than ours does."""
    config = configuration(folder)
    for name, ours in AUTOGRADE.items():
        if config.Autograde.get(name) != ours:
            raise ClassFolderError(
                f"nbgrader_config.py in {folder.root} sets Autograde.{name}, which `classroom grade` does not do."
                " Take that line out, or grade with `nbgrader autograde`."
            )
    coursedir = CourseDirectory(config=config)
    autograde = Autograde(coursedir=coursedir, config=config)
    late = AssignLatePenalties(config=config)
    late.log.setLevel(logging.CRITICAL)
    late.init_plugin()
    return ClassRules(
        int(str(autograde.permissions), 8),
        bool(coursedir.groupshared),
        [*coursedir.ignore, "*.ipynb"],
        dict(autograde.exclude_overwriting),
        late,
    )
