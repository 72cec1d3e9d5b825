"""Train the string language model and write ``datasets/checkpoints/string_rnn.safetensors``.

Run as ``python datasets/recipes/string_rnn.py`` (15 seconds on one core). The words come from a seeded
automaton with five states, so that it is known what there is to be learned: the last line compares the
network's perplexity on unseen words with the best that anyone can reach.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from course.data.strings import random_automaton, sample_words
from course.models.checkpoints import save_checkpoint
from course.models.string_rnn import LETTERS, SEED, STATES, StringRNN

WORDS, EPOCHS, BATCH, RATE = 20_000, 20, 128, 4e-3


def train() -> StringRNN:
    """Adam with one cycle of the learning rate, on words sorted by length within each batch of batches."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    words = sample_words(random_automaton(STATES, LETTERS, SEED), WORDS, seed=0)
    generator = torch.Generator().manual_seed(0)
    model = StringRNN()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, EPOCHS * -(-WORDS // BATCH))
    start = time.process_time()
    for epoch in range(EPOCHS):
        order = sorted(torch.randperm(WORDS, generator=generator).tolist(), key=lambda row: len(words[row]))
        batches = torch.tensor(order).split(BATCH)
        total = 0.0
        for place in torch.randperm(len(batches), generator=generator).tolist():
            loss = -model.log_probability([words[row] for row in batches[place].tolist()]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batches[place]) / WORDS
        print(
            f"epoch {epoch:2d}  loss {total:.4f} nats a word  {time.process_time() - start:.0f} s of CPU",
            flush=True,
        )
    return model.eval()


def evaluate(model: StringRNN) -> None:
    """Nats a word on unseen words: the network, and the automaton that wrote them."""
    automaton = random_automaton(STATES, LETTERS, SEED)
    words = sample_words(automaton, 5000, seed=1)
    initial, final, transitions = automaton
    truth = torch.zeros(len(words), dtype=torch.float64)
    for row, word in enumerate(words):
        state = initial
        for letter in word:
            state = state @ transitions[letter]
        truth[row] = (state @ final).log()
    with torch.no_grad():
        network = model.log_probability(words)
    print(f"unseen words: network {-network.mean():.4f}, automaton {-truth.mean():.4f} nats a word")


if __name__ == "__main__":
    model = train()
    evaluate(model)
    save_checkpoint("string_rnn", model.state_dict())
