"""LIME's own cost, held against the model's forwards and against the lime package, in one run.

    python benchmarks/lime.py [--repeats 7]

Ratios of process CPU time, medians over the repeats, one thread. Targets: an image explanation costs at most 1.2 × the forwards
that it asks for; a tabular one is at least 10 × faster than the lime package with as many samples.
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Generator, nn

from course.data.digits import load_digits
from course.data.superpixels import superpixels
from course.models.digits import load_digits_cnn
from solutions.lime import BATCH, apply_masks, lime_image, lime_tabular, sample_masks

# run as a script, this file would itself be found under the name of the package that it measures
sys.path[:] = [place for place in sys.path if Path(place).resolve() != Path(__file__).resolve().parent]
from lime.lime_tabular import LimeTabularExplainer  # noqa: E402

IMAGE_LIMIT, TABULAR_LIMIT = 1.2, 10.0


def interleaved(repeats: int, *calls: Callable[[], object], at_once: int = 1) -> list[list[float]]:
    """CPU seconds of each call, taken in turns, `at_once` a turn, so that all of them meet the same machine."""
    for call in calls:
        call()
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, column in zip(calls, times, strict=True):
            start = time.process_time()
            for _ in range(at_once):
                call()
            column.append((time.process_time() - start) / at_once)
    return times


def image(samples: int, count: int, repeats: int) -> tuple[float, float]:
    """(seconds of lime_image, ratio to its forwards), on the digits CNN."""
    model, picture = load_digits_cnn(), load_digits().test_images[8]
    segments = superpixels(picture, count)
    variants = apply_masks(picture, segments, sample_masks(segments, samples, Generator().manual_seed(0)))

    def forwards() -> None:
        with torch.no_grad():
            for some in variants.split(BATCH):
                model(some)

    def explain() -> object:
        return lime_image(model, picture, segments, 8, samples, Generator().manual_seed(0))

    floor, ours = interleaved(repeats, forwards, explain)
    return statistics.median(ours), statistics.median(a / b for a, b in zip(ours, floor, strict=True))


def tabular(samples: int, features: int, repeats: int) -> dict[str, float]:
    """Seconds: one forward of all samples, ours, and the lime package with and without its choice of ten features."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(500, features))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, 3), nn.Softmax(1))
    row, scale = torch.from_numpy(table[0]).float(), torch.from_numpy(table.std(0)).float()
    rows = row + torch.randn(samples, features)

    def ask(batch: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(torch.from_numpy(batch).float()).numpy()

    def package(selection: str, discretize: bool) -> Callable[[], object]:
        explainer = LimeTabularExplainer(
            table,
            discretize_continuous=discretize,
            sample_around_instance=True,
            feature_selection=selection,
            random_state=0,
        )
        return lambda: explainer.explain_instance(
            table[0], ask, labels=(1,), num_features=10, num_samples=samples
        )

    def explain() -> object:
        return lime_tabular(model, row, scale, 1, samples, Generator().manual_seed(0))

    calls = {
        "forward": lambda: ask(rows.numpy()),
        "ours": explain,
        "package, all features": package("none", False),
        "package, as it comes": package("auto", True),
    }
    times = interleaved(repeats, *calls.values(), at_once=10)
    return {name: statistics.median(column) for name, column in zip(calls, times, strict=True)}


def verdict(met: bool) -> str:
    return "met" if met else "NOT MET"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    missed = 0

    print(f"lime_image on the digits CNN, CPU time of one thread, medians of {repeats}")
    print(f"{'samples':>8} {'segments':>9} {'lime_image':>12} {'/ forwards':>11}   target ≤ {IMAGE_LIMIT}")
    for samples, count in [(500, 20), (1000, 40), (2000, 80)]:
        seconds, ratio = image(samples, count, repeats)
        missed += ratio > IMAGE_LIMIT
        print(
            f"{samples:>8} {count:>9} {seconds * 1e3:>9.0f} ms {ratio:>11.2f}   {verdict(ratio <= IMAGE_LIMIT)}"
        )

    print("\nlime_tabular on a network with 32 hidden cells, against the lime package with as many samples")
    header = ("samples", "features", "forward", "ours", "package", "× ours", "as it comes", "× ours")
    print(" ".join(f"{name:>11}" for name in header), f"  target ≥ {TABULAR_LIMIT:.0f}")
    for samples, features in [(1000, 10), (5000, 10), (5000, 30)]:
        t = tabular(samples, features, repeats)
        plain, usual = t["package, all features"] / t["ours"], t["package, as it comes"] / t["ours"]
        missed += math.isnan(usual) or usual < TABULAR_LIMIT
        cells = [f"{samples}", f"{features}", *(f"{t[name] * 1e3:.1f} ms" for name in ("forward", "ours"))]
        cells += [f"{t['package, all features'] * 1e3:.1f} ms", f"{plain:.1f}"]
        cells += [f"{t['package, as it comes'] * 1e3:.1f} ms", f"{usual:.1f}"]
        print(" ".join(f"{cell:>11}" for cell in cells), f"  {verdict(usual >= TABULAR_LIMIT)}")
    print(
        '"package": its bare surrogate (no discretizing, all features); "as it comes": its defaults, which do more.'
    )
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
