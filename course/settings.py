"""The switch that chapters honour, and the limit that `check` and grading share."""

import os

FAST: bool = os.environ.get("COURSE_FAST", "0") not in ("", "0")
"""True when the environment says COURSE_FAST=1: chapters then take seconds (tests and grading), not up to a minute."""

SECONDS_EACH = 10.0
"""Seconds of processor time that one exercise may take on its cases: grading stops there, and `check` says so."""
