"""Train the networks that answer questions about scenes (after scene_eyes).

    python datasets/recipes/scene_networks.py                # all of them, one thread, about 8 minutes of CPU
    python datasets/recipes/scene_networks.py steps_4        # one of: baseline, relations, steps_1 … steps_4,
                                                             # steps_4_from_answers

Needs the reference library for `relate` and `reason`. Baseline and relation network learn from answers alone. The
step-by-step networks are also shown where to look: thing by thing along the question's path, as far as they have
steps for it, and then to stay. Without that they do not leave guessing on chained questions within these steps.
"""

import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from course.data.scenes import (
    CHAINS,
    KINDS,
    NON_RELATIONAL,
    RELATIONAL,
    Questions,
    Scenes,
    simulate_questions,
    simulate_scenes,
)
from course.models.checkpoints import save_checkpoint
from course.models.reasoning import NoReasoning, RelationNetwork, StepByStep, load_eyes, see
from solutions.reasoning import reason, relate

SCENES, BATCH, RATE, SEED = 20_000, 128, 3e-3, 1
STEPS = {
    "baseline": 4000,
    "relations": 3000,
    "steps_1": 3000,
    "steps_2": 3000,
    "steps_3": 3000,
    "steps_4": 4000,
    "steps_4_from_answers": 12_000,
}
FROM_ANSWERS = "_from_answers"
SORT_OF_CLEVR = (*NON_RELATIONAL, *RELATIONAL)
CHAINED = ("shape", "nearest_shape", "furthest_shape", *CHAINS)


def look_loss(looks: Tensor, path: Tensor) -> Tensor:
    """−log of the attention on the thing where each step should look: along the path, then staying at its end."""
    steps, going, path = looks.shape[1], path >= 0, path.clone()
    for step in range(1, path.shape[1]):
        path[:, step] = torch.where(going[:, step], path[:, step], path[:, step - 1])
    return -(looks.gather(2, path[:, :steps, None]) + 1e-6).log().mean()


def make(name: str) -> tuple[nn.Module, tuple[str, ...], Callable]:
    """The network, its kinds of questions, and run(seen, words) → (logits, looks or None)."""
    if name == "baseline":
        model: nn.Module = NoReasoning()
        return model, SORT_OF_CLEVR, lambda seen, words: (model(seen, words), None)
    if name == "relations":
        model = RelationNetwork()
        return model, SORT_OF_CLEVR, lambda seen, words: (model(seen, words, relate), None)
    model = StepByStep(int(name.removesuffix(FROM_ANSWERS).removeprefix("steps_")))
    return model, CHAINED, lambda seen, words: model(seen, words, reason)[:2]


@torch.no_grad()
def accuracy(run: Callable, seen: Tensor, questions: Questions) -> dict[str, float]:
    """The share of right answers, by kind of question."""
    parts = torch.arange(len(questions.answers)).split(500)
    words, about = torch.from_numpy(questions.words), torch.from_numpy(questions.about)
    said = torch.cat([run(seen[about[rows]], words[rows])[0].argmax(1) for rows in parts])
    right = (said == torch.from_numpy(questions.answers)).float()
    kinds = torch.from_numpy(questions.kinds)
    return {KINDS[k]: round(right[kinds == k].mean().item(), 3) for k in kinds.unique().tolist()}


@cache
def scenes_seen(count: int, seed: int) -> tuple[Scenes, Tensor]:
    """Scenes, and what the eyes see of them."""
    scenes = simulate_scenes(count, seed)
    return scenes, see(load_eyes(), scenes)


def train(name: str, steps: int) -> nn.Module:
    """Adam with one cycle of the learning rate and clipped gradients."""
    torch.manual_seed(SEED)
    model, kinds, run = make(name)
    (pool, seen), (others, seen_others) = scenes_seen(SCENES, SEED), scenes_seen(2000, SEED + 1)
    unseen = simulate_questions(kinds, 6000, SEED + 2, others)
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, steps, pct_start=0.1, cycle_momentum=False
    )
    start = time.process_time()
    for step in range(steps):
        row = step % 500
        if row == 0:
            questions = simulate_questions(kinds, 500 * BATCH, 1_000 + step, pool)
        rows = slice(row * BATCH, (row + 1) * BATCH)
        about, words, answers, path = (
            torch.from_numpy(part[rows])
            for part in (questions.about, questions.words, questions.answers, questions.path)
        )
        logits, looks = run(seen[about], words)
        loss = cross_entropy(logits, answers)
        if looks is not None and not name.endswith(FROM_ANSWERS):
            loss = loss + look_loss(looks, path)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 4.0)
        optimizer.step()
        schedule.step()
        if row == 499 or step == steps - 1:
            spent = time.process_time() - start
            print(
                f"{name} {step + 1:5d}  loss {loss.item():.3f}  {accuracy(run, seen_others, unseen)}  {spent:.0f} s",
                flush=True,
            )
    return model


if __name__ == "__main__":
    torch.set_num_threads(1)
    for chosen in sys.argv[1:] or STEPS:
        save_checkpoint(f"scene_{chosen}", train(chosen, STEPS[chosen]).state_dict())
