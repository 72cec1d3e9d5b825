"""The one switch that chapters honour."""

import os

FAST: bool = os.environ.get("COURSE_FAST", "0") not in ("", "0")
"""True when the environment says COURSE_FAST=1: chapters then take seconds (tests and grading), not up to a minute."""
