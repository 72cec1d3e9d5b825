"""Similarity sees structure, not names, and ignores what was released."""

from solutions.classroom.feedback.similarity import pairs

ORIGINAL = '''
def fit(x, y, penalty):
    """Fit."""
    total = 0.0
    for i in range(len(x)):
        for j in range(len(y)):
            if x[i] > y[j] and penalty is not None:
                total += (x[i] - y[j]) ** 2 * penalty
            else:
                total -= abs(x[i]) / (1 + y[j])
    result = [total * k for k in range(10) if k % 3]
    while result and result[-1] > 100:
        result.pop()
    return sorted(result, reverse=True)
'''
RENAMED = (
    ORIGINAL.replace("total", "summe")
    .replace("result", "ergebnis")
    .replace("x[", "eingabe[")
    .replace("penalty", "strafe")
)
OTHER = """
def fit(x, y, penalty):
    gram = x.T @ x + penalty * np.eye(x.shape[1])
    values, vectors = np.linalg.eigh(gram)
    rotated = {name: vectors.T @ part for name, part in zip("ab", (x.T @ y, y))}
    with open("log.txt", "a") as log:
        print(values.min(), file=log)
    try:
        return vectors @ (rotated["a"] / values)
    except ZeroDivisionError as error:
        raise ValueError("penalty") from error
"""


def test_renamed_copies_are_found_and_others_are_not() -> None:
    found = pairs({"ada": ORIGINAL, "ben": RENAMED, "cid": OTHER})
    assert [(pair.first, pair.second) for pair in found] == [("ada", "ben")]
    assert found[0].share > 0.95


def test_what_was_released_does_not_count() -> None:
    assert pairs({"ada": ORIGINAL, "ben": RENAMED}, skeleton=ORIGINAL) == []


def test_a_few_words_are_never_alike() -> None:
    assert pairs({"ada": "def f(x):\n    return x\n", "ben": "def f(y):\n    return y\n"}) == []
