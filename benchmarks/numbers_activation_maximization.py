"""Chapters 2 and 3 in figures, over several seeds: what a learned prior buys, and what the strongest images are worth.

    python benchmarks/numbers_activation_maximization.py [SEEDS]

Prints mean and range over the seeds (default 5; about six seconds of processor time each).
"""

import sys
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from course.data.digits import load_digits
from course.models.digit_generator import LATENT, load_digit_generator
from course.models.digit_judge import load_digit_judge
from course.models.digits import load_digits_cnn
from solutions.activation_maximization import (
    class_objective,
    gaussian_blur,
    jitter,
    maximize_activation,
    maximize_latent,
    penalized,
    total_variation,
)
from solutions.filters import feature_maps, top_activations

STARTS, STEPS = 4, 200
CLASSES = torch.arange(10)


def liked_images(seed: int) -> Iterator[tuple[str, Tensor]]:
    """(prior, ten images, one for each class), the settings being the chapter's."""
    model, generator = load_digits_cnn(), load_digit_generator()
    source = torch.Generator().manual_seed(seed)
    white = 0.01 * torch.randn(10, 1, 28, 28, generator=source)
    grey = 0.3 + white
    f = class_objective(model, CLASSES)
    yield "plain", maximize_activation(f, grey, STEPS, 0.1, 0.04)
    yield "plain, from white paper", maximize_activation(f, white, STEPS, 0.1, 0.04)
    yield (
        "total variation",
        maximize_activation(lambda x: f(x) - 0.01 * total_variation(x), grey, STEPS, 0.1, 0.04),
    )
    soft = maximize_activation(lambda x: f(jitter(gaussian_blur(x, 1.0), 3, source)), grey, STEPS, 0.5, 0.01)
    yield "blur and jitter", gaussian_blur(soft, 1.0)
    f4 = class_objective(model, CLASSES.repeat_interleave(STARTS))
    z, images = maximize_latent(
        f4, generator, torch.randn(10 * STARTS, LATENT, generator=source), STEPS, 0.1, 0.03
    )
    images = images.reshape(10, STARTS, 1, 28, 28)
    with torch.no_grad():
        height = penalized(lambda z: f4(generator(z)), 0.03)(z).reshape(10, STARTS)
    yield "learned prior, one start", images[:, 0]
    yield f"learned prior, best of {STARTS}", images[CLASSES, height.argmax(dim=1)]


def judged(images: Tensor) -> tuple[float, float, float, float]:
    """The network's mean p, the judge's agreements of 10 as they are and printed, the distance printed."""
    model, judge = load_digits_cnn(), load_digit_judge()
    known = F.normalize(load_digits().train_images.flatten(1))
    printed = (images / images.amax(dim=(1, 2, 3), keepdim=True)).clamp(0, 1)
    with torch.no_grad():
        sure = model(images).softmax(1).diagonal().mean()
        agree, agree_printed = ((judge(each).argmax(1) == CLASSES).sum() for each in (images, printed))
    distance = 1 - (F.normalize(printed.flatten(1)) @ known.T).amax(dim=1).mean()
    return float(sure), float(agree), float(agree_printed), float(distance)


def same_digit(activations: Tensor) -> float:
    """Of the nine strongest images of a unit, how many show the same digit, on average."""
    labels = load_digits().train_labels
    _, image, _, _ = top_activations(activations, 9)
    return float(torch.stack([labels[of_one].bincount().max() for of_one in image]).float().mean())


def spread(values: list[float]) -> str:
    mean = sum(values) / len(values)
    return f"{mean:5.2f} ({min(values):.2f} … {max(values):.2f})"


def main() -> None:
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    table: dict[str, list[tuple[float, float, float, float]]] = {}
    for seed in seeds:
        for name, images in liked_images(seed):
            table.setdefault(name, []).append(judged(images))
    print(f"ten classes, {len(seeds)} seeds: mean (smallest … largest)")
    print(f"{'prior':28}{'p of the network':23}{'judge, of 10':23}{'judge, printed':23}distance, printed")
    for name, rows in table.items():
        print(f"{name:28}" + "".join(f"{spread(list(column)):23}" for column in zip(*rows, strict=True)))
    best = [row[3] for row in list(table.values())[-1]]
    print(
        "distance, learned prior / plain:",
        spread([b / p[3] for b, p in zip(best, table["plain"], strict=True)]),
    )

    model, images = load_digits_cnn(), load_digits().train_images
    with torch.no_grad():
        dense = torch.cat([feature_maps(model, "dense1", batch) for batch in images.split(500)])
    mixed = [
        same_digit(
            (dense - dense.mean(0)) @ torch.randn(128, 128, generator=torch.Generator().manual_seed(s))
        )
        for s in seeds
    ]
    print(
        f"of a unit's 9 strongest images show the same digit: neurons {same_digit(dense):.2f}, random mixtures {spread(mixed)}"
    )


if __name__ == "__main__":
    main()
