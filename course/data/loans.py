"""Applications for a loan, invented from a seed: a table in which the features hang together, as in life."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor

NAMES = ("age", "years in job", "income", "rent", "savings", "origin", "lucky number")
UNITS = ("years", "years", "€/month", "€/month", "€", "0 or 1", "1 to 9")
ORIGIN, LUCKY = 5, 6


def draw_loans(rows: int, generator: Generator) -> Float[Tensor, "rows 7"]:
    """Who has worked longer earns more, who earns more pays more rent; origin and lucky number stand alone."""

    def noise() -> Tensor:
        return torch.randn(rows, generator=generator)

    age = (42 + 11 * noise()).clamp(18, 75)
    years = ((age - 20) * torch.rand(rows, generator=generator) ** 0.5).clamp_min(0)
    income = (1700 + 60 * years + 150 * noise()).clamp_min(500)
    rent = 0.35 * income + 40 * noise()
    savings = (6 * (income - rent) + 300 * noise()).clamp_min(0)
    origin = (torch.rand(rows, generator=generator) < 0.5).float()
    lucky = torch.randint(1, 10, (rows,), generator=generator).float()
    return torch.stack([age, years, income, rent, savings, origin, lucky], dim=1)
