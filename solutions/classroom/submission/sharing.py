"""Which graded cells are recorded in one process: those between which a notebook only defines things.

Forking a warm notebook costs more than most exercises take. A graded cell can leave its function to the next one's
snapshot when that function does the same there: when no cell in between runs anything or takes a name that was in use,
and no function changes what the others see. The snapshot asks it with the names that the notebook had at its own cell
(course/sandbox/student.py). What functions leave in a library's settings for each other cannot be told from the source
without fail. So whatever comes out of a shared process neither right nor simply still open is recorded again in a process
of its own, and that counts: unless all functions are of the plain kind that leaves nothing anywhere (`leaves_nothing`).
"""

import ast
import symtable
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from course.notebook.names import TOO_LONG, TOO_STRANGE
from solutions.classroom.submission.sandbox import Step


def share_snapshots(steps: Sequence[Step]) -> list[Step]:
    """The same steps, with `shares` set at every graded cell for which the next one's snapshot can answer."""
    if sum(len(step.source) for step in steps) > TOO_LONG:
        return list(steps)
    cells = [_Cell() if step.exercise else _look_at(step.source) for step in steps]
    everybodys = {name for cell in cells for name in cell.makes | cell.imports}
    kept = {name for cell in cells for name in cell.keeps}
    if any(cell.reaches_far or cell.changes & everybodys or cell.leans_on & kept for cell in cells):
        return list(steps)
    shared = list(steps)
    in_use: set[str] = set()
    waiting: int | None = None  # the last graded cell, as long as the notebook has only defined things since
    for place, (step, cell) in enumerate(zip(steps, cells, strict=True)):
        if step.exercise:
            if waiting is not None:
                shared[waiting] = replace(shared[waiting], shares=True)
            waiting = place
            in_use.add(step.exercise)
        elif not cell.only_defines or cell.makes & in_use:
            waiting = None
        in_use |= cell.makes | cell.mentions
    return shared


def leaves_nothing(steps: Sequence[Step]) -> bool:
    """Whether a notebook's functions only compute: then one that shares a process does there what it does alone.

    Of libraries they know those that are made for computing, and of these nothing that sets anything; and they write
    into nothing but what they were given or made themselves.
    """
    sources = [step.source for step in steps if not step.exercise]
    if sum(map(len, sources)) > TOO_LONG:
        return False
    cells = [_look_at(source) for source in sources]
    made = {name for cell in cells for name in cell.makes}
    foreign = {name for cell in cells for name in cell.foreign}
    known = (made | _HARMLESS | _LIBRARIES) - foreign
    return all(cell.computes and cell.leans_on <= known for cell in cells)


@dataclass(frozen=True)
class _Cell:
    """What a cell's source says.

    makes: names that it gives a meaning to. keeps: those of them that something can be kept in. mentions, imports: all
    names in it, also inside its functions. leans_on: the global names that its functions use. changes: names of things
    that it alters. reaches_far: it gets at things without naming them. computes: its functions do nothing that could be
    left in a library. foreign: the imported names that stand for more than computing.
    """

    only_defines: bool = False
    reaches_far: bool = False
    makes: frozenset[str] = frozenset()
    keeps: frozenset[str] = frozenset()
    leans_on: frozenset[str] = frozenset()
    mentions: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    computes: bool = False
    foreign: frozenset[str] = frozenset()


_DEFINITIONS = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign,
    ast.Expr, ast.Pass,
)  # fmt: skip
_ACTIONS = (
    ast.Call, ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr, ast.Starred,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip
_FAR_REACHING = {
    "__builtins__", "__import__", "builtins", "cached_property", "compile", "ctypes", "delattr", "eval", "exec",
    "gc", "get_ipython", "globals", "importlib", "In", "inspect", "locals", "Out", "property", "setattr", "sys", "vars",
}  # fmt: skip
_PLAIN_DECORATORS = {
    "cache", "classmethod", "dataclass", "dataclasses", "functools", "lru_cache", "staticmethod", "torch", "wraps",
}  # fmt: skip
_LIBRARIES = {"F", "math", "nn", "np", "torch"}
_TYPES = {"Bool", "Callable", "Float", "Int", "Literal", "Optional", "Union", "dict", "list", "tuple", "type"}
_CONVERSIONS = {"float", "frozenset", "get_args", "int", "str", "tuple"}
_METHODS = {"__call__", "__enter__", "__exit__", "__init__", "__len__"}
"""Python calls any other method of that kind without a call that could be seen."""

_PLAIN = {"__init__", "__enter__", "__exit__", "__name__", "__len__", "__getitem__"}
_SETTINGS = ("set_", "register_", "use_")
"""How a library's functions begin that change something for everybody: torch.set_default_device."""

_FOR_COMPUTING = {
    "collections", "copy", "course", "dataclasses", "functools", "itertools", "jaxtyping", "math", "numpy", "operator",
    "sklearn", "torch", "typing",
}  # fmt: skip
_BY_THEIR_NAMES = {
    name: name for name in ("collections", "copy", "functools", "itertools", "math", "operator", "torch")
}
_BY_THEIR_NAMES |= {"numpy": "np", "torch.nn.functional": "F", "torch.nn": "nn"}
_HARMLESS = {
    "abs", "all", "any", "bool", "callable", "complex", "dict", "divmod", "enumerate", "filter", "float", "frozenset",
    "getattr", "int", "isinstance", "issubclass", "iter", "len", "list", "map", "max", "min", "next", "object", "pow", "print", "range", "repr",
    "reversed", "round", "set", "slice", "sorted", "str", "sum", "super", "tuple", "type", "zip",
    "ArithmeticError", "AssertionError", "BaseException", "Exception", "IndexError", "KeyError", "LookupError",
    "NotImplementedError", "RuntimeError", "StopIteration", "TypeError", "ValueError", "ZeroDivisionError",
}  # fmt: skip
_NOT_FOR_COMPUTING = {
    "anomaly_mode", "autocast", "backends", "check", "compile", "cuda", "detect_anomaly", "distributed", "graph", "hub",
    "inference_mode", "jit", "library", "multiprocessing", "overrides", "parametrize", "profiler", "testing", "utils",
}  # fmt: skip
"""Parts of libraries in which something can be left for whoever comes next."""

_ONE_S_OWN = {"bias", "data", "grad", "requires_grad", "training", "weight"}
"""Attributes that functions give to networks and tensors, which every call gets anew."""


@lru_cache(maxsize=512)
def _look_at(source: str) -> _Cell:
    try:
        cell = _read(ast.parse(source))
        return replace(cell, leans_on=cell.leans_on & _used_in_functions(source))
    except (SyntaxError, *TOO_STRANGE):  # broken code runs nothing, but a magic does
        return _Cell(reaches_far=True)


def _read(tree: ast.Module) -> _Cell:
    nodes = list(ast.walk(tree))
    now = list(_run_at_once(tree))
    imported = {name for node in nodes for name in _imported(node)}
    mentions = {node.id for node in nodes if isinstance(node, ast.Name)}
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    places = [node for node in nodes if isinstance(node, ast.Attribute | ast.Subscript)]
    altered = [node for node in places if not _reads(node)]
    altered += [node for node in attributes if node.attr.startswith(_SETTINGS)]
    makes = {node.id for node in now if isinstance(node, ast.Name) and not _reads(node)}
    makes |= {name for node in now for name in _imported(node)}
    makes |= {
        node.name for node in now if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    return _Cell(
        only_defines="*" not in makes
        and not any(isinstance(node, _ACTIONS) or _calls_a_stranger(node) for node in now)
        and not any(isinstance(node, ast.Attribute | ast.Subscript) and not _reads(node) for node in now)
        and all(isinstance(node, _DEFINITIONS) for node in now if isinstance(node, ast.stmt)),
        reaches_far=bool((mentions | imported) & _FAR_REACHING)
        or any(isinstance(node, ast.Global | ast.Nonlocal) for node in nodes)
        or any(_is_called_unseen(node) for node in nodes)
        or any(node.attr.startswith("__") and node.attr not in _PLAIN for node in attributes),
        makes=frozenset(makes),
        keeps=frozenset(_keeps(tree)),
        leans_on=frozenset(_handled(set(nodes) - set(now))),
        mentions=frozenset(mentions),
        imports=frozenset(imported),
        changes=frozenset({_root(node) for node in altered}),
        computes=_computes(set(nodes) - set(now), nodes),
        foreign=frozenset(name for node in nodes for name in _foreign(node)),
    )


def _computes(inside: Collection[ast.AST], everything: Collection[ast.AST]) -> bool:
    """Whether functions whose bodies hold these nodes leave nothing behind but what they return."""
    attributes = [node for node in inside if isinstance(node, ast.Attribute)]
    roots = {node.value for node in attributes}
    stored = [node for node in attributes if not _reads(node)]
    return (
        not any(isinstance(node, ast.Import | ast.ImportFrom) for node in inside)
        # a library goes by no other name, so that what is taken from it can be read
        and not any(isinstance(n, ast.Name) and n.id in _LIBRARIES and n not in roots for n in inside)
        and not any(_sets_something(node) for node in attributes)
        and all(_root(node) in ("ctx", "self") or _is_one_s_own(node) for node in stored)
        and not any(_remembers(node) for node in everything)
    )


def _is_one_s_own(node: ast.Attribute) -> bool:
    return node.attr in _ONE_S_OWN and not any(isinstance(part, ast.Call) for part in ast.walk(node))


def _sets_something(node: ast.Attribute) -> bool:
    root = _root(node)
    return (
        node.attr in _NOT_FOR_COMPUTING
        or node.attr.startswith(("set_", "use_", "seterr"))
        or (node.attr in ("__enter__", "__exit__") and root != "self")
        or (root in _LIBRARIES and (node.attr.startswith("register_") or _is_internal(node.attr)))
    )


def _is_internal(name: str) -> bool:
    """torch._C, torch._dynamo; a class such as nn.modules.conv._ConvNd is not."""
    return name.startswith("_") and (name == "_C" or not name[1:2].isupper())


def _remembers(node: ast.AST) -> bool:
    """A function that keeps what it has returned."""
    return isinstance(node, ast.Name | ast.Attribute) and getattr(node, "id", getattr(node, "attr", "")) in (
        "cache",
        "lru_cache",
    )


def _foreign(node: ast.AST) -> list[str]:
    """The imported names that stand for more than computing, or hide what they are."""
    if isinstance(node, ast.Import):
        names = [(alias.name, alias.asname or alias.name.partition(".")[0]) for alias in node.names]
        return [name for module, name in names if _BY_THEIR_NAMES.get(module) != name]
    if isinstance(node, ast.ImportFrom):
        parts = {*(node.module or "").split(".")}
        strange = (node.module or "").partition(".")[0] not in _FOR_COMPUTING or parts & _NOT_FOR_COMPUTING
        return [
            alias.asname or alias.name
            for alias in node.names
            if strange
            or alias.name in _NOT_FOR_COMPUTING
            or alias.name.startswith(("set_", "use_", "register_", "_"))
            or ((alias.asname or alias.name) in _LIBRARIES) != (alias.name in ("nn", "functional"))
        ]
    return []


def _used_in_functions(source: str) -> frozenset[str]:
    """The global names that a cell's functions and classes use."""
    found: set[str] = set()
    waiting = symtable.symtable(source, "<cell>", "exec").get_children()
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        found |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
    return frozenset(found)


def _keeps(tree: ast.Module) -> Iterator[str]:
    """The names of what one function may leave something in for another: all but constants and plain definitions."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if _has_a_store(node):
                yield node.name
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else node
            names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not _reads(n)}
            if not _is_fixed(value):
                yield from names


def _handled(nodes: Collection[ast.AST]) -> set[str]:
    """The names among these that are not only looked at, by `in` or isinstance."""
    looked_at: set[ast.AST] = set()
    for node in nodes:
        if isinstance(node, ast.Compare) and all(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
            looked_at |= {*node.comparators}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            looked_at |= {*node.args}
    return {node.id for node in nodes if isinstance(node, ast.Name) and node not in looked_at}


def _has_a_store(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Whether a function has a changeable default or a decorator of one's own, or a class a changeable attribute."""
    for part in ast.walk(node):
        values: list[ast.expr | None] = []
        if isinstance(part, ast.arguments):
            values = [*part.defaults, *part.kw_defaults]
        elif isinstance(part, ast.ClassDef):
            values = [line.value for line in part.body if isinstance(line, ast.Assign | ast.AnnAssign)]
        if _calls_a_stranger(part) or not all(isinstance(v, ast.Name) or _is_fixed(v) for v in values):
            return True
    return False


def _is_fixed(value: ast.AST | None) -> bool:
    """A number, a text, a type, or a function without a name: nothing can be left in it."""
    if value is None or isinstance(value, ast.Constant | ast.Lambda):
        return True
    if isinstance(value, ast.Attribute | ast.Subscript):
        return _root(value) in _LIBRARIES | (_TYPES if isinstance(value, ast.Subscript) else set())
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in _CONVERSIONS
    if isinstance(value, ast.Tuple | ast.UnaryOp | ast.BinOp):
        return all(_is_fixed(part) for part in ast.iter_child_nodes(value) if isinstance(part, ast.expr))
    return False


def _calls_a_stranger(node: ast.AST) -> bool:
    """A definition that runs what somebody wrote: by a decorator of one's own, or a metaclass."""
    if isinstance(node, ast.ClassDef) and node.keywords:
        return True
    decorated = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return decorated and any(_root(decorator) not in _PLAIN_DECORATORS for decorator in node.decorator_list)  # type: ignore[attr-defined]


def _is_called_unseen(node: ast.AST) -> bool:
    defined = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    return defined and node.name.startswith("__") and node.name not in _METHODS  # type: ignore[attr-defined]


def _run_at_once(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs when the cell runs: everything but the bodies of functions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        for name, part in ast.iter_fields(node):
            if name == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            children = [
                child for child in (part if isinstance(part, list) else [part]) if isinstance(child, ast.AST)
            ]
            yield from children
            waiting += children


def _reads(node: ast.Name | ast.Attribute | ast.Subscript) -> bool:
    return isinstance(node.ctx, ast.Load)


def _imported(node: ast.AST) -> list[str]:
    """The names that an import makes, and the package that they come from."""
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return []
    names = [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    origins = (
        [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    )
    return names + [origin.partition(".")[0] for origin in origins]


def _root(node: ast.expr) -> str:
    """The name at the very left: torch of torch.nn.functional.relu."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
