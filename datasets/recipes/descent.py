"""How the recipes here train: the loop that they share. Each says in its own file what is drawn, and what is made small."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Loss = Callable[[int], tuple[Tensor, Callable[[], str]]]
"""loss(step) → (what is to become small, how to tell in words how things stand)."""


def descend(
    model: nn.Module,
    loss: Loss,
    steps: int,
    rate: float,
    every: int = 200,
    betas: tuple[float, float] = (0.9, 0.999),
    **cycle: Any,
) -> None:
    """Adam with one cycle of the learning rate and clipped gradients; a line every so many steps and after the last."""
    optimizer = torch.optim.Adam(model.parameters(), betas=betas)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, **cycle)
    start = time.process_time()
    for step in range(steps):
        cost, tell = loss(step)
        optimizer.zero_grad()
        cost.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % every == 0 or step == steps - 1:
            print(f"step {step:5d}  {tell()}  {time.process_time() - start:.0f} s of CPU", flush=True)
