"""Small networks to simplify: built, trained, pruned and binarized from explicit seeds.

A "weight" here is a parameter with two axes or more; biases and normalization layers are left alone, as is the custom.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.func import functional_call

Masks = Mapping[str, Tensor]
"""Which weights stay: parameter name → keep mask."""


def dense_network(
    sizes: list[int],
    generator: Generator,
    activation: Callable[[], nn.Module] = nn.ReLU,
    normalize: bool = False,
) -> nn.Sequential:
    """Linear layers of these sizes with an activation between them; images are laid out in a row first.

    normalize puts a batch normalization before each activation, which binary weights need.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    for position, (inputs, outputs) in enumerate(pairwise(sizes)):
        linear = nn.Linear(inputs, outputs)
        nn.init.xavier_uniform_(linear.weight, generator=generator)
        nn.init.zeros_(linear.bias)
        layers.append(linear)
        if position < len(sizes) - 2:
            layers += [nn.BatchNorm1d(outputs), activation()] if normalize else [activation()]
    return nn.Sequential(*layers)


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """The model's weights by name, detached: what pruning and binarization work on."""
    return {name: p.detach() for name, p in model.named_parameters() if p.ndim > 1}


def join(tensors: Mapping[str, Tensor]) -> Float[Tensor, " n"]:
    """All entries of all tensors in one row, so that layers can compete with each other."""
    return torch.cat([tensor.flatten() for tensor in tensors.values()])


def separate(row: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of join: cut the row into tensors named and shaped like these."""
    pieces = row.split([tensor.numel() for tensor in like.values()])
    return {name: piece.view_as(tensor) for (name, tensor), piece in zip(like.items(), pieces, strict=True)}


@torch.no_grad()
def delete(model: nn.Module, keep: Masks) -> None:
    """Set the weights that do not stay to zero."""
    for name, weight in model.named_parameters():
        if name in keep:
            weight.mul_(keep[name])


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Int[Tensor, " n"]) -> float:
    """The share of images that are read correctly, in percent, in evaluation mode."""
    with evaluating(model):
        return 100 * float((model(images).argmax(1) == labels).double().mean())


@torch.no_grad()
def measure_normalization(model: nn.Module, images: Tensor) -> nn.Module:
    """Take the batch normalizations' means and variances afresh, after the weights have been replaced."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # a plain average over all that it is shown
    model.train()
    model(images)
    return model.eval()


class Apply(nn.Module):
    """A layer that applies a function, so that an activation of your own fits into a network."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, the former mode afterwards."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def descend(model: nn.Module, loss: Callable[[nn.Module], Tensor], steps: int = 2000) -> nn.Module:
    """Walk down to the very minimum of a smooth loss (L-BFGS); worth it in float64 and for small networks only."""
    optimizer = torch.optim.LBFGS(
        model.parameters(),
        max_iter=steps,
        history_size=50,
        tolerance_grad=1e-8,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure() -> float:
        optimizer.zero_grad()
        value = loss(model)
        value.backward()
        return value.item()

    optimizer.step(closure)
    optimizer.zero_grad()
    return model


def batches(n: int, size: int, generator: Generator) -> Iterator[Tensor]:
    """One epoch: all indices once, in random order, `size` at a time."""
    yield from torch.randperm(n, generator=generator).split(size)


def train(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epochs: int,
    generator: Generator,
    lr: float = 1e-3,
    decay: float = 1e-4,
    keep: Masks | None = None,
    view: Callable[[Tensor], Tensor] | None = None,
    limit: float | None = None,
) -> nn.Module:
    """Train by Adam on the cross-entropy, with a learning rate that falls to zero, and return the model.

    decay: strength of an L2 penalty, ½·decay·‖w‖².
    keep: weights that do not stay are zero before and after.
    view: what the network sees of each weight (a sign, say); the gradient reaches the real weight through it.
    limit: the real weights are clipped to [−limit, limit] after each step.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr, weight_decay=decay)
    steps = epochs * -(-len(images) // 50)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, steps)
    if keep:
        delete(model, keep)
    model.train()
    for _ in range(epochs):
        for rows in batches(len(images), 50, generator):
            seen = {name: view(p) for name, p in model.named_parameters() if p.ndim > 1} if view else {}
            loss = nn.functional.cross_entropy(functional_call(model, seen, images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if keep:
                delete(model, keep)
            if limit:
                with torch.no_grad():
                    for weight in weights_of(model).values():
                        weight.clamp_(-limit, limit)
    return model.eval()
