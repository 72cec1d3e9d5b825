"""Chapter 8's numbers, over five seeds on the shipped digits: what pruning and binarization cost.

    python benchmarks/numbers_simpler_models.py [--seeds 5]

Every pruned or binarized network is compared with one that started from the same weights and was trained for just as
long, unpruned or with real weights ("control"). Reported are paired medians over the seeds, and whether each target is met.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch
from targets import Table  # its neighbour in this folder
from torch import Generator, Tensor, nn

from course.data.digits import Digits, load_digits
from course.models.simpler import (
    Apply,
    accuracy,
    delete,
    dense_network,
    descend,
    join,
    separate,
    train,
    weights_of,
)
from solutions.binarization import binarize_weights, binary_activation, scaled_binary
from solutions.pruning import (
    cell_saliency,
    gauss_newton_diagonal,
    hessian_diagonal,
    magnitude_saliency,
    obd_saliency,
    prune_smallest,
)

DECAY = (
    1e-3  # the penalty that the networks are trained with; it belongs to the loss, and so to its curvature
)
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
PIXELS = (0.3, 0.5, 0.7)


def curvature(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The Hessian's diagonal of the penalised loss, Gauss–Newton, by weight name."""
    names = [name for name, _ in model.named_parameters()]
    diagonal = dict(zip(names, gauss_newton_diagonal(model, images), strict=True))
    return {name: diagonal[name] + DECAY for name in weights_of(model)}


def saliency(model: nn.Module, method: str, images: Tensor, generator: Generator) -> dict[str, Tensor]:
    weights = weights_of(model)
    if method == "magnitude":
        return {name: magnitude_saliency(w) for name, w in weights.items()}
    if method == "random":
        return {name: torch.rand(w.shape, generator=generator) for name, w in weights.items()}
    h = curvature(model, images)
    return {name: obd_saliency(w, h[name]) for name, w in weights.items()}


def pruned_accuracies(base: nn.Module, method: str, digits: Digits, seed: int) -> list[float]:
    """Delete, retrain, delete more …: the accuracy after each share. The control deletes nothing."""
    model, generator = copy.deepcopy(base), Generator().manual_seed(1000 + seed)
    keep = {name: torch.ones_like(w) for name, w in weights_of(model).items()}
    accuracies = []
    for share in SHARES:
        if method != "control":
            score = saliency(model, method, digits.train_images[:300], generator)
            score = {name: torch.where(keep[name] > 0, s, -1.0) for name, s in score.items()}  # gone is gone
            keep = separate(prune_smallest(join(score), share).float(), score)
        train(model, digits.train_images, digits.train_labels, 4, generator, decay=DECAY, keep=keep)
        accuracies.append(accuracy(model, digits.test_images, digits.test_labels))
    return accuracies


def paired(first: list[list[float]], second: list[list[float]], column: int) -> float:
    """The median over seeds of first − second."""
    return statistics.median(a[column] - b[column] for a, b in zip(first, second, strict=True))


def pruning(digits: Digits, seeds: int, table: Table) -> None:
    results: dict[str, list[list[float]]] = {m: [] for m in ("control", "obd", "magnitude", "random")}
    for seed in range(seeds):
        generator = Generator().manual_seed(seed)
        base = dense_network([784, 100, 10], generator)
        train(base, digits.train_images, digits.train_labels, 15, generator, decay=DECAY)
        for method, runs in results.items():
            runs.append(pruned_accuracies(base, method, digits, seed))
    print("\nPruning 784-100-10 (ReLU), delete and retrain; points lost against the unpruned control")
    for column, share in enumerate(SHARES):
        lost = {m: paired(results["control"], results[m], column) for m in ("obd", "magnitude", "random")}
        control = statistics.median(run[column] for run in results["control"])
        text = " ".join(f"{m} {value:+.1f}" for m, value in lost.items())
        target = "OBD ≤ 0.5 lost" if share == 0.6 else ""
        table.line(
            f"  {share:.0%} deleted (control {control:.1f} %)",
            text,
            target,
            lost["obd"] <= 0.5 if target else None,
        )
    best = max(
        (s for c, s in enumerate(SHARES) if paired(results["control"], results["obd"], c) <= 0.5), default=0
    )
    table.line("  largest share that OBD deletes with ≤ 0.5 lost", f"{best:.0%}", "≥ 60 %", best >= 0.6)
    gains = [paired(results["obd"], results["random"], c) for c in range(len(SHARES))]
    table.line("  OBD minus random, smallest over all shares", f"{min(gains):+.1f}", "> 0", min(gains) > 0)
    wins = [paired(results["magnitude"], results["obd"], c) for c in range(len(SHARES))]
    table.line("  magnitude minus OBD, by share", " ".join(f"{w:+.1f}" for w in wins))


def minimum(
    sizes: list[int], activation: type[nn.Module], x: Tensor, y: Tensor, generator: Generator
) -> nn.Module:
    """A network at the minimum of its penalised loss: OBD's assumption, for once fulfilled (L-BFGS, float64)."""
    model = dense_network(sizes, generator, activation).double()
    return descend(model, lambda model: penalised(model, x, y))


def penalised(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    squares = torch.stack([p.square().sum() for p in model.parameters()]).sum()
    return nn.functional.cross_entropy(model(x), y) + DECAY / 2 * squares


def predicted_and_actual(
    model: nn.Module, h: dict[str, Tensor], x: Tensor, y: Tensor, share: float
) -> tuple[float, float]:
    """What OBD says that deleting the share will cost, and what it costs."""
    weights = weights_of(model)
    score = {name: obd_saliency(w, h[name]) for name, w in weights.items()}
    keep = separate(prune_smallest(join(score), share), score)
    pruned = copy.deepcopy(model)
    delete(pruned, keep)
    with torch.no_grad():
        actual = penalised(pruned, x, y) - penalised(model, x, y)
    return float(join(score)[~join(keep)].sum()), float(actual)


def prediction(digits: Digits, seeds: int, table: Table) -> None:
    shares = (0.1, 0.2, 0.4, 0.6, 0.8)
    x = nn.functional.avg_pool2d(digits.train_images, 4).flatten(1)[:1000].double()
    y = digits.train_labels[:1000]
    print("\nOBD's predicted rise of the loss, divided by the actual one")
    for activation in (nn.Tanh, nn.ReLU):
        ratios: dict[float, list[float]] = {share: [] for share in shares}
        for seed in range(seeds):
            model = minimum([49, 20, 10], activation, x, y, Generator().manual_seed(seed))
            named = {name: p for name, p in model.named_parameters() if p.ndim > 1}
            h = dict(zip(named, hessian_diagonal(penalised(model, x, y), list(named.values())), strict=True))
            for share in shares:
                predicted, actual = predicted_and_actual(model, h, x, y, share)
                ratios[share].append(predicted / actual)
        for share in shares:
            name = f"  49-20-10 {activation.__name__}, at the minimum, {share:.0%} deleted"
            spread = f"{statistics.median(ratios[share]):.2f} ({min(ratios[share]):.2f} to {max(ratios[share]):.2f})"
            if activation is nn.Tanh and share == 0.2:
                off = statistics.median(abs(r - 1) for r in ratios[share])
                table.line(name, spread, "within 25 %", off <= 0.25)
            else:
                table.line(name, spread)
    generator = Generator().manual_seed(0)
    large = dense_network([784, 100, 10], generator)
    train(large, digits.train_images, digits.train_labels, 15, generator, decay=DECAY)
    images, labels = digits.train_images[:1000], digits.train_labels[:1000]
    h = curvature(large, images[:300])
    for share in shares:
        predicted, actual = predicted_and_actual(large, h, images, labels, share)
        table.line(f"  784-100-10 ReLU by Adam, {share:.0%} deleted", f"{predicted:.1e} / {actual:.1e}")
    empty = (digits.train_images.flatten(1).amax(0) == 0).float()
    share_empty = float(empty.mean())
    table.line("  pixels that no training digit touches: h = 0 there", f"{share_empty:.0%} of the pixels")


def inputs(digits: Digits, seeds: int, table: Table) -> None:
    losses: dict[float, list[float]] = {share: [] for share in PIXELS}
    empty = digits.train_images.flatten(1).amax(0) == 0
    found = []
    for seed in range(seeds):
        generator = Generator().manual_seed(seed)
        base = dense_network([784, 100, 10], generator)
        train(base, digits.train_images, digits.train_labels, 15, generator, decay=DECAY)
        name = next(iter(weights_of(base)))
        weight = weights_of(base)[name]
        usefulness = cell_saliency(weight, gauss_newton_diagonal(base, digits.train_images[:400])[0])
        found.append(100 * float((~prune_smallest(usefulness, 0.3))[empty].double().mean()))
        retrained = []
        for share in (0.0, *PIXELS):
            model = copy.deepcopy(base)
            keep = {name: prune_smallest(usefulness, share).expand_as(weight)}
            again = Generator().manual_seed(1000 + seed)
            train(model, digits.train_images, digits.train_labels, 8, again, decay=DECAY, keep=keep)
            retrained.append(accuracy(model, digits.test_images, digits.test_labels))
        for share, value in zip(PIXELS, retrained[1:], strict=True):
            losses[share].append(retrained[0] - value)
    print(
        "\nOptimal Cell Damage on the inputs of 784-100-10, retrained once; points lost against the control"
    )
    for share in PIXELS:
        lost = statistics.median(losses[share])
        target = "≤ 0.5 at ≥ 30 %" if share == 0.3 else ""
        table.line(
            f"  {share:.0%} of the pixels dropped", f"{lost:+.1f}", target, lost <= 0.5 if target else None
        )
    table.line("  of the never-inked pixels, among the 30 % dropped", f"{statistics.median(found):.0f} %")


def binary(digits: Digits, seeds: int, table: Table) -> None:
    settings: dict[str, tuple[Callable[[Tensor], Tensor] | None, Callable[[], nn.Module], float]] = {
        "real": (None, nn.ReLU, 1e-3),
        "binary weights": (binarize_weights, nn.ReLU, 1e-2),
        "scaled binary weights": (scaled_binary, nn.ReLU, 3e-3),
        "binary weights and activations": (binarize_weights, lambda: Apply(binary_activation), 1e-2),
    }
    results: dict[str, list[float]] = {name: [] for name in settings}
    for seed in range(seeds):
        for name, (view, activation, lr) in settings.items():
            generator = Generator().manual_seed(seed)
            model = dense_network([784, 256, 10], generator, activation, normalize=True)
            limit = 1.0 if view else None
            train(model, *digits[:2], 15, generator, lr=lr, decay=0.0, view=view, limit=limit)
            if view:
                with torch.no_grad():
                    for _, weight in weights_of(model).items():
                        weight.copy_(view(weight))
            results[name].append(accuracy(model, *digits[2:]))
    print("\nBinarized 784-256-10 with batch normalization; points lost against real weights")
    for name in settings:
        lost = statistics.median(a - b for a, b in zip(results["real"], results[name], strict=True))
        target = "≤ 2" if name == "binary weights" else ""
        value = f"{statistics.median(results[name]):.1f} %, {lost:+.1f}"
        table.line(f"  {name}", value, target, lost <= 2 if target else None)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    digits, table, start = load_digits(), Table(58, 24, 22), time.process_time()
    print(f"Simpler models: paired medians over {seeds} seeds, 4,000 digits to train on, 1,000 to test on")
    for part in (pruning, prediction, inputs, binary):
        part(digits, seeds, table)
    verdict = "all targets met" if not table.missed else f"{table.missed} target(s) NOT MET"
    print(f"\n{verdict}; {time.process_time() - start:.0f} s of CPU time")
    return int(bool(table.missed))


if __name__ == "__main__":
    raise SystemExit(main())
