"""Train the memory network that answers stories like the lecture's: where is, where is … now, where was … before.

    python datasets/recipes/lecture_memory.py          # one thread, about 2 minutes of CPU

Three networks from different first weights are trained at once on 20,000 questions; the one with the lowest training
loss is kept. Needs no reference library.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from course.data.stories import encode_examples, simulate_stories
from course.models.checkpoints import save_checkpoint
from course.models.memory_networks import (
    LECTURE_MEMORY,
    LECTURE_RECIPE,
    LECTURE_WORDS,
    lecture_lexicon,
    measure,
    train_restarts,
)

QUESTIONS, SEED = 20_000, 1


def main() -> None:
    torch.set_num_threads(1)
    lexicon, start = lecture_lexicon(), time.process_time()
    data, unseen = (
        encode_examples(simulate_stories("lecture", count, seed), lexicon, LECTURE_MEMORY, LECTURE_WORDS)
        for count, seed in ((QUESTIONS, SEED), (2_000, SEED + 1))
    )

    def watch(epoch: int, losses: torch.Tensor) -> None:
        if epoch % 5 == 4:
            spent = time.process_time() - start
            print(
                f"epoch {epoch + 1:3d}  losses {[round(x, 4) for x in losses.tolist()]}  {spent:.0f} s of CPU",
                flush=True,
            )

    trained = train_restarts(data, len(lexicon), LECTURE_RECIPE, torch.Generator().manual_seed(SEED), watch)
    _, error = measure(trained.parameters, unseen, len(lexicon), LECTURE_RECIPE)
    print(
        f"errors on 2,000 unseen questions: {[round(e, 4) for e in error.tolist()]}; kept: number {trained.best}"
    )
    save_checkpoint("lecture_memory", trained.state(trained.best))


if __name__ == "__main__":
    main()
