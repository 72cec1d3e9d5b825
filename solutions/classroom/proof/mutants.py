"""Small changes to a reference, one at a time: does the judge see each of them? First-order mutation testing.

A mutant that survives is either right, for a reason that `tests/mutants.toml` gives, or a wrong answer that would be
graded as right. Source: DeMillo, Lipton & Sayward (1978), Hints on test data selection.
"""

import ast
import copy
import signal
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any, Literal

from course.judging.exercise import Exercise
from course.judging.recording import frozen_inputs, record
from course.judging.sheets import Answers
from course.judging.verdict import compare
from solutions.classroom.proof.prove import exercises_named
from solutions.classroom.release.answers import PUBLIC_SEEDS, answers_for
from solutions.classroom.release.reference_source import definition, home_of, load

EXPLAINED = Path(__file__).resolve().parents[3] / "tests" / "mutants.toml"
"""Survivors that are right: exercise → {what was changed: why nobody can tell}."""

LONGEST, PATIENCE = 0.5, 20
"""Seconds of processor time for one mutant, and how many times the reference's own; one that takes longer than both is killed,
as a submission would be."""

SECRET_SEEDS = [101, 102]
"""They stand for those of a class."""

Fate = Literal["killed", "named", "survived"]

_OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip

_METHODS = {
    "max": "min", "min": "max", "amax": "amin", "amin": "amax", "argmax": "argmin", "argmin": "argmax", "sum": "mean",
    "mean": "sum", "clamp_min": "clamp_max", "clamp_max": "clamp_min", "floor": "ceil", "ceil": "floor",
    "cumsum": "cumprod", "zeros_like": "ones_like", "ones_like": "zeros_like", "zeros": "ones", "ones": "zeros",
    "exp": "expm1", "log": "log1p", "sin": "cos", "cos": "sin", "any": "all", "all": "any", "round": "floor",
}  # fmt: skip

_LEFT_OUT = {
    "abs", "square", "sqrt", "exp", "log", "relu", "sigmoid", "tanh", "detach", "clone", "flip", "eval", "double", "float",
    "clamp", "clamp_min", "clamp_max", "mT", "T", "flatten", "squeeze", "unsqueeze", "contiguous", "sign", "softmax", "log_softmax",
}  # fmt: skip
"""Methods that are left out as well: `x.abs()` becomes `x`."""


@dataclass(frozen=True)
class Mutant:
    """A reference with one change. change: what was changed, in one line; it knows the mutant by name."""

    exercise: str
    change: str
    function: Callable[..., Any]


@dataclass(frozen=True)
class Found:
    """What became of a mutant, and why it is right where that is known."""

    mutant: Mutant
    fate: Fate
    reason: str = ""


def try_mutants(chapter: str, exercise: Exercise) -> list[Found]:
    """What becomes of every mutant of an exercise's reference, on public and on other seeds."""
    sheets = [answers_for(chapter, exercise, seeds) for seeds in (PUBLIC_SEEDS, SECRET_SEEDS)]
    reasons = explained().get(exercise.name, {})
    return [
        Found(mutant, _fate(mutant, exercise, sheets), reasons.get(mutant.change, ""))
        for mutant in mutants_of(home_of()[exercise.name], exercise.name)
    ]


def survivors(chapter: str, exercise: Exercise, share: int = 1) -> list[str]:
    """The changes that nobody sees and nobody has explained; without asking how the others are told, which is quicker.

    share: only one mutant in so many is tried, always the same ones.
    """
    start = time.process_time()
    reference = load(home_of()[exercise.name], exercise.name)
    seeds = [*PUBLIC_SEEDS, *SECRET_SEEDS]
    inputs = [[frozen_inputs(exercise, seed)] for seed in seeds]
    sheets = [
        Answers([seed], ice, record(reference, exercise, [seed], ice))
        for seed, ice in zip(seeds, inputs, strict=True)
    ]
    patience = max(LONGEST, PATIENCE * (time.process_time() - start) / len(seeds))
    reasons = explained().get(exercise.name, {})
    tried = mutants_of(home_of()[exercise.name], exercise.name)[::share]
    return [
        mutant.change
        for mutant in tried
        if mutant.change not in reasons and _fate(mutant, exercise, sheets, patience) == "survived"
    ]


def outdated() -> list[str]:
    """What is explained in the list of survivors and is no mutant any more: it changed, or its exercise went."""
    home, found = home_of(), []
    for name, reasons in explained().items():
        changes = {mutant.change for mutant in mutants_of(home[name], name)} if name in home else set()
        found += [f"{name}: {change}" for change in reasons if change not in changes]
    return found


def print_mutants(names: Iterable[str]) -> int:
    """A line per exercise, and one for each survivor without a reason. Returns how many there are of these, at most 1."""
    unexplained = 0
    for name in names:
        for chapter, exercise in exercises_named(name):
            found = try_mutants(chapter, exercise)
            counts = {
                fate: sum(one.fate == fate for one in found) for fate in ("killed", "named", "survived")
            }
            told = [one for one in found if one.fate == "survived" and one.reason]
            print(
                f"{exercise.name:<30} {len(found):>3} mutants  killed {counts['killed']:>3}  by name {counts['named']:>3}"
                f"  survived {counts['survived']:>3}, with a reason {len(told)}"
            )
            for one in found:
                if one.fate == "survived" and not one.reason:
                    print(f"    {one.mutant.change}")
                    unexplained += 1
    print(f"{unexplained} survivors without a reason")
    if gone := outdated():
        print("explained, and no mutant any more:", *gone, sep="\n    ")
    return min(unexplained, 1)


def explained() -> dict[str, dict[str, str]]:
    """exercise → {change: the reason why it is right}."""
    return tomllib.loads(EXPLAINED.read_text("utf-8")) if EXPLAINED.exists() else {}


def differs(mutant: Mutant, chapter: str, exercise: Exercise, seeds: Iterator[int] | range) -> int | None:
    """The first of many seeds whose cases tell a survivor from the reference; None where none does."""
    for seed in seeds:
        if _fate(mutant, exercise, [answers_for(chapter, exercise, [seed])]) != "survived":
            return seed
    return None


def mutants_of(module: str, name: str) -> list[Mutant]:
    """All first-order mutants of a reference function."""
    tree = definition(module, name)
    assert isinstance(tree, ast.FunctionDef)
    reference = load(module, name)
    found: dict[str, Mutant] = {}
    for change, mutated in _mutations(tree):
        again = sum(known.partition(" #")[0] == change for known in found)
        key = f"{change} #{again + 1}" if again else change
        found[key] = Mutant(name, key, _compiled(mutated, reference))
    return list(found.values())


def _compiled(tree: ast.FunctionDef, reference: Callable[..., Any]) -> Callable[..., Any]:
    """The mutated function, in a copy of the reference's module, so that it calls itself where the reference does."""
    assert isinstance(reference, FunctionType)
    names = dict(reference.__globals__)
    module = ast.fix_missing_locations(ast.Module([tree], []))
    exec(compile(module, reference.__code__.co_filename, "exec"), names)
    return names[tree.name]  # type: ignore[no-any-return]


def _fate(mutant: Mutant, exercise: Exercise, sheets: list[Answers], patience: float = 4 * LONGEST) -> Fate:
    for sheet in sheets:
        try:
            with _time_limit(patience):
                recorded = record(mutant.function, exercise, sheet.seeds, sheet.inputs)
        except _TooLong:
            return "killed"
        verdict = compare(exercise, recorded, sheet)
        if not verdict.right:
            return "named" if verdict.kind == "misconception" else "killed"
    return "survived"


class _TooLong(KeyboardInterrupt):
    """The recorder lets interrupts through, and nothing else."""


class _time_limit:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGPROF, _stop)
        self._start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, self._seconds, self._seconds)

    def __exit__(self, *error: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, self._before)


def _stop(number: int, frame: FrameType | None) -> None:
    raise _TooLong


def _mutations(tree: ast.FunctionDef) -> Iterator[tuple[str, ast.FunctionDef]]:
    """(what was changed, the function with it), for every place and kind of change. The docstring stays."""
    places = _places(tree)
    lines: dict[int, str] = {}
    messages: set[int] = set()
    for place in places:
        for inner in ast.walk(place) if isinstance(place, ast.stmt) else ():
            lines[id(inner)] = ast.unparse(place).splitlines()[0]
            if isinstance(place, ast.Raise) and inner is not place:
                messages.add(id(inner))
    for position, node in enumerate(places):
        if id(node) in messages:  # what an error says is nobody's answer
            continue
        for words, change in _changes(node):
            mutated = copy.deepcopy(tree)
            mutated.decorator_list = []
            change(_places(mutated)[position])
            here = ast.unparse(node).splitlines()[0]
            yield f"{words}: {here}" + (f" | {lines[id(node)]}" if lines[id(node)] != here else ""), mutated


def _places(tree: ast.FunctionDef) -> list[ast.AST]:
    """All nodes of a function's body, always in the same order, outer statements before those in them."""
    body = tree.body[1:] if ast.get_docstring(tree) else tree.body
    return [node for statement in body for node in ast.walk(statement)]


Change = Callable[[Any], None]


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    """(in words, what does it to a copy of the node) for each change that a node can suffer."""
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in _OPERATORS:
        yield f"{_sign(node.op)} for {_sign(_OPERATORS[type(node.op)]())}", _turn_operator
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPERATORS:
        yield f"{_sign(node.ops[0])} for {_sign(_OPERATORS[type(node.ops[0])]())}", _turn_comparison
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield f"without {_sign(node.op)}", _without_sign
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "turned", _turn_truth
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield "one more", _one_more
        if node.value not in (0, -1):
            yield "zero", _zero
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        name = node.func.attr
        if name in _METHODS:
            yield f"{name} for {_METHODS[name]}", _other_method
        if name in _LEFT_OUT and not (
            isinstance(node.func.value, ast.Name) and node.func.value.id in ("torch", "F", "np", "nn")
        ):
            yield f"without .{name}()", _without_call
        if (
            name in _LEFT_OUT
            and node.args
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in ("torch", "F")
        ):
            yield f"without {name}()", _without_function
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _METHODS:
        yield f"{node.func.id} for {_METHODS[node.func.id]}", _other_function
    if isinstance(node, ast.Call):
        for position, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                yield f"without {keyword.arg}=", partial(_without_keyword, position)
    if isinstance(node, ast.If | ast.IfExp):
        yield "never", _never
        yield "always", _always
    if isinstance(node, ast.Expr | ast.AugAssign):
        yield "left out", _left_out
    if isinstance(node, ast.Break | ast.Continue):
        yield "left out", _left_out
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
        yield "swapped", _swapped


def _sign(op: ast.AST) -> str:
    named = {
        ast.And: "and",
        ast.Or: "or",
        ast.Not: "not",
        ast.Is: "is",
        ast.IsNot: "is not",
        ast.In: "in",
        ast.NotIn: "not in",
    }
    signs = {
        ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**", ast.BitAnd: "&",
        ast.BitOr: "|", ast.USub: "-", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    }  # fmt: skip
    return {**named, **signs}[type(op)]


def _turn_operator(node: Any) -> None:
    node.op = _OPERATORS[type(node.op)]()


def _turn_comparison(node: Any) -> None:
    node.ops = [_OPERATORS[type(node.ops[0])]()]


def _without_sign(node: Any) -> None:
    _become(node, node.operand)


def _turn_truth(node: Any) -> None:
    node.value = not node.value


def _one_more(node: Any) -> None:
    node.value = node.value + 1


def _zero(node: Any) -> None:
    node.value = type(node.value)(0)


def _other_method(node: Any) -> None:
    node.func.attr = _METHODS[node.func.attr]


def _other_function(node: Any) -> None:
    node.func.id = _METHODS[node.func.id]


def _without_call(node: Any) -> None:
    _become(node, node.func.value)


def _without_function(node: Any) -> None:
    _become(node, node.args[0])


def _without_keyword(position: int, node: Any) -> None:
    del node.keywords[position]


def _never(node: Any) -> None:
    node.test = ast.Constant(False)


def _always(node: Any) -> None:
    node.test = ast.Constant(True)


def _left_out(node: Any) -> None:
    _become(node, ast.Pass())


def _swapped(node: Any) -> None:
    node.value.elts = node.value.elts[::-1]


def _become(node: ast.AST, other: ast.AST) -> None:
    """Put another node in this one's place."""
    node.__class__ = other.__class__  # type: ignore[assignment]
    node.__dict__.clear()
    node.__dict__.update(other.__dict__)
