"""nbgrader's formgrader on a class folder; it needs no network."""

import os
import subprocess
import sys

from solutions.classroom.folder import ClassFolder
from solutions.classroom.release.publish import environment


def formgrader(folder: ClassFolder, port: int = 8888, browser: bool = True) -> int:
    """Run a Jupyter server in the class folder until it is stopped; its Formgrader is where answers in words are graded."""
    command = [sys.executable, "-m", "jupyter", "lab", f"--port={port}"]
    command += [f"--ServerApp.root_dir={folder.root}", "--LabApp.default_url=/formgrader"]
    command += [] if browser else ["--no-browser"]
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return subprocess.run(command, cwd=folder.root, env=environment(), check=False).returncode
