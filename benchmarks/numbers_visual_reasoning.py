"""The numbers of chapter 14: who answers which question about scenes that nobody was trained on.

python benchmarks/numbers_visual_reasoning.py
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import Tensor
from torch.nn import Module

from course.data.scenes import (
    CHAINS,
    KINDS,
    NON_RELATIONAL,
    RELATIONAL,
    Questions,
    simulate_questions,
    simulate_scenes,
)
from course.models.reasoning import NoReasoning, RelationNetwork, StepByStep, load_eyes, load_trained, see
from solutions.reasoning import reason, relate

QUESTIONS, SCENES = 9000, 3000


@torch.no_grad()
def right_by_kind(
    run: Callable[[Tensor, Tensor], Tensor], seen: Tensor, questions: Questions
) -> dict[str, str]:
    about, words, kinds = (torch.from_numpy(p) for p in (questions.about, questions.words, questions.kinds))
    said = torch.cat(
        [run(seen[a], w).argmax(1) for a, w in zip(about.split(500), words.split(500), strict=True)]
    )
    right = (said == torch.from_numpy(questions.answers)).float()
    return {KINDS[kind]: f"{100 * right[kinds == kind].mean():.1f}" for kind in kinds.unique().tolist()}


def answers_of(network: Module) -> Callable[[Tensor, Tensor], Tensor]:
    """A step-by-step network's logits alone."""
    return lambda seen, words: network(seen, words, reason)[0]


def main() -> None:
    torch.set_num_threads(1)
    scenes = simulate_scenes(SCENES, seed=1234)
    seen = see(load_eyes(), scenes)
    kinds = simulate_questions((*NON_RELATIONAL, *RELATIONAL), QUESTIONS, 1235, scenes)
    chains = simulate_questions(
        ("shape", "nearest_shape", "furthest_shape", *CHAINS), QUESTIONS, 1236, scenes
    )
    print(f"right answers in percent, {SCENES} unseen scenes, {QUESTIONS} questions a line")
    baseline = load_trained(NoReasoning(), "scene_baseline")
    relations = load_trained(RelationNetwork(), "scene_relations")
    print("  no reasoning        ", right_by_kind(baseline, seen, kinds))
    print("  relation network    ", right_by_kind(lambda s, w: relations(s, w, relate), seen, kinds))
    for name in ("steps_1", "steps_2", "steps_3", "steps_4", "steps_4_from_answers"):
        network = load_trained(StepByStep(int(name.split("_")[1])), f"scene_{name}")
        start = time.process_time()
        right = right_by_kind(answers_of(network), seen, chains)
        print(f"  {name:20}", right, f"{time.process_time() - start:.1f} s")


if __name__ == "__main__":
    main()
