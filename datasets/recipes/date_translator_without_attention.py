"""Train the date translator without attention: same sentences, same number of steps as its twin.

python datasets/recipes/date_translator_without_attention.py     # one thread, about a minute of CPU
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import date_translator

from course.models.checkpoints import save_checkpoint

if __name__ == "__main__":
    save_checkpoint("date_translator_without_attention", date_translator.train(attends=False).state_dict())
