"""A small transformer whose arithmetic is the reader's: the network is only the weights.

`encoder_block` and `positional_encoding` are handed in, so that a chapter runs it with the reader's own functions.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from course.data.sequences import SYMBOLS
from course.data.words_in_context import WORDS
from course.models.checkpoints import load_checkpoint

Block = Callable[..., tuple[Tensor, Tensor]]
"""encoder_block(x, block, heads, mask) → (output, weights)."""

Positions = Callable[[int, int], Tensor]
"""positional_encoding(n, dim) → (n, dim)."""


class BlockWeights(NamedTuple):
    """The weights of one layer. Words are rows, matrices stand on the right: x @ wq."""

    wq: Float[Tensor, "dim dim"]
    wk: Float[Tensor, "dim dim"]
    wv: Float[Tensor, "dim dim"]
    wo: Float[Tensor, "dim dim"]
    w1: Float[Tensor, "dim inner"]
    b1: Float[Tensor, "inner"]
    w2: Float[Tensor, "inner dim"]
    b2: Float[Tensor, "dim"]


def random_block(dim: int, inner: int) -> BlockWeights:
    """Weights at their start: every matrix keeps the size of what goes through it."""
    wq, wk, wv, wo = (torch.randn(dim, dim) * dim**-0.5 for _ in range(4))
    w1, w2 = torch.randn(dim, inner) * dim**-0.5, torch.randn(inner, dim) * inner**-0.5
    return BlockWeights(wq, wk, wv, wo, w1, torch.zeros(inner), w2, torch.zeros(dim))


class SmallTransformer(nn.Module):
    """Symbols in, one decision per symbol out: embedding + positions, a few blocks, a linear read-out."""

    def __init__(self, symbols: int, layers: int = 2, heads: int = 4, dim: int = 64, inner: int = 128):
        super().__init__()
        self.heads = heads
        self.embed = nn.Embedding(symbols, dim)
        self.blocks = nn.ModuleList(
            nn.ParameterDict(random_block(dim, inner)._asdict()) for _ in range(layers)
        )
        self.read_out = nn.Linear(dim, symbols)

    def block_weights(self, layer: int) -> BlockWeights:
        """The weights of one layer, counted from 0."""
        weights: Mapping[str, Tensor] = self.blocks[layer]  # type: ignore[assignment]
        return BlockWeights(*(weights[name] for name in BlockWeights._fields))

    def states(
        self,
        symbols: Int[Tensor, "batch n"],
        encoder_block: Block,
        positional_encoding: Positions,
        mask: Bool[Tensor, "batch n n"] | None = None,
    ) -> tuple[Float[Tensor, "depths batch n dim"], Float[Tensor, "layers batch heads n n"]]:
        """Every word as it is before the first layer and after each one, and all attention weights."""
        embedded = self.embed(symbols)
        n, dim = embedded.shape[-2:]
        x = embedded + positional_encoding(n, dim).to(embedded)
        states, weights = [x], []
        for layer in range(len(self.blocks)):
            x, layer_weights = encoder_block(x, self.block_weights(layer), self.heads, mask)
            states.append(x)
            weights.append(layer_weights)
        return torch.stack(states), torch.stack(weights)

    def forward(
        self,
        symbols: Int[Tensor, "batch n"],
        encoder_block: Block,
        positional_encoding: Positions,
        mask: Bool[Tensor, "batch n n"] | None = None,
    ) -> tuple[Float[Tensor, "batch n symbols"], Float[Tensor, "layers batch heads n n"]]:
        """Return the logits at every place and all attention weights."""
        states, weights = self.states(symbols, encoder_block, positional_encoding, mask)
        return self.read_out(states[-1]), weights


def sequence_transformer() -> SmallTransformer:
    """Untrained, for reversing and sorting the sequences of `course.data.sequences`."""
    return SmallTransformer(len(SYMBOLS))


def load_sequence_transformer() -> SmallTransformer:
    """Trained to reverse and to sort up to twelve digits."""
    model = sequence_transformer()
    model.load_state_dict(load_checkpoint("sequence_transformer"))
    return model.eval()


def context_transformer() -> SmallTransformer:
    """Untrained, for telling what the ambiguous words of `course.data.words_in_context` mean."""
    return SmallTransformer(len(WORDS), heads=2, dim=32, inner=64)


def load_context_transformer() -> SmallTransformer:
    """Trained to say what ambiguous words mean."""
    model = context_transformer()
    model.load_state_dict(load_checkpoint("context_transformer"))
    return model.eval()
