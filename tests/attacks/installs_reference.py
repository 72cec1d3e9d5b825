"""Installs the reference with pip.

Must happen: no network, nothing to write to.
"""

EXERCISE = """import subprocess, sys
subprocess.run([sys.executable, '-m', 'pip', 'install', '--retries', '0', '--timeout', '1', 'explaining-deep-networks'], timeout=8, capture_output=True)
import solutions.attention
EXERCISE = solutions.attention.EXERCISE
"""
LOSES = "first"
SAYS = "is not defined|ModuleNotFoundError"
