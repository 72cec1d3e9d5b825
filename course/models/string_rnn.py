"""A small recurrent language model over letters: the black box that chapter 9 turns into a weighted automaton."""

import torch
from torch import Tensor, nn

from course.data.strings import Word
from course.models.checkpoints import load_checkpoint

LETTERS = 4
STATES = 5
SEED = 12  # of the automaton that wrote the words on which the checkpoint was trained


class StringRNN(nn.Module):
    """Predicts, after every letter of a word, the next letter or the word's end.

    Letters are 0 … letters−1; the symbol ``letters`` means the end of the word, and starts it, too.
    """

    def __init__(self, letters: int = LETTERS, hidden: int = 48) -> None:
        super().__init__()
        self.letters = letters
        self.embedding = nn.Embedding(letters + 1, 16)
        self.gru = nn.GRU(16, hidden, batch_first=True)
        self.output = nn.Linear(hidden, letters + 1)

    def forward(self, symbols: Tensor) -> Tensor:
        """(words, length) symbols so far → (words, length, letters+1) log-probabilities of the symbol after each."""
        states, _ = self.gru(self.embedding(symbols))
        return torch.log_softmax(self.output(states), dim=-1)

    def log_probability(self, words: list[Word]) -> Tensor:
        """(words,) log-probability of each whole word, its end included."""
        before, after, there = self.batch(words)
        steps = self(before).gather(-1, after.unsqueeze(-1)).squeeze(-1)
        return (steps * there).sum(-1)

    def probability(self, words: list[Word]) -> Tensor:
        """(words,) probability of each whole word, without gradients, a thousand words at a time."""
        with torch.no_grad():
            parts = [self.log_probability(words[i : i + 1000]) for i in range(0, len(words), 1000)]
        return torch.cat(parts).exp()

    def next_letters(self, prefixes: list[Word]) -> Tensor:
        """(prefixes, letters+1) probabilities of what follows each prefix; the last entry is the end."""
        before, _, there = self.batch(prefixes)
        with torch.no_grad():
            last = there.sum(-1).long() - 1
            return self(before)[torch.arange(len(prefixes)), last].exp()

    def batch(self, words: list[Word]) -> tuple[Tensor, Tensor, Tensor]:
        """Symbols read, symbols to predict, and 1 where there is a symbol to predict: each (words, longest+1)."""
        end, longest = self.letters, max(map(len, words))
        rows = [[end, *word, *[end] * (longest + 1 - len(word))] for word in words]
        symbols = torch.tensor(rows, device=self.output.weight.device)
        lengths = torch.tensor([len(word) for word in words], device=symbols.device)
        there = torch.arange(longest + 1, device=symbols.device) <= lengths[:, None]
        return symbols[:, :-1], symbols[:, 1:], there.to(self.output.weight.dtype)


def load_string_rnn() -> StringRNN:
    """Trained on 20,000 words of ``random_automaton(STATES, LETTERS, SEED)``, in evaluation mode."""
    model = StringRNN()
    model.load_state_dict(load_checkpoint("string_rnn"))
    return model.eval()
