"""Which names a cell makes and uses, by its source alone."""

import ast
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

TOO_LONG = 200_000
"""Characters of code beyond which nobody looks: Python's parser takes a thousand bytes of memory for each of them."""

TOO_STRANGE = (MemoryError, RecursionError, UnicodeError, ValueError)
"""What Python's own parser raises for code that is nested too deeply, or is no text."""


@lru_cache(maxsize=512)
def used(source: str) -> frozenset[str]:
    """The global names that a cell reads, also inside its functions; parameters and locals are none."""
    found: set[str] = set()
    waiting = [symtable.symtable(source, "<cell>", "exec")]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        top = table.get_type() == "module"
        found |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return frozenset(found)


@lru_cache(maxsize=512)
def defined(source: str) -> frozenset[str]:
    """The global names that a cell makes: by assignment, import, function or class."""
    try:
        table = symtable.symtable(source, "<cell>", "exec")
        changed = {n.value.id for n in ast.walk(ast.parse(source)) if _changes(n)}  # type: ignore[attr-defined]
    except (SyntaxError, *TOO_STRANGE):
        return frozenset()
    made = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    return frozenset(made | changed)


def _changes(node: ast.AST) -> bool:
    """`name.attribute = …` and `name[…] = …` change what the name stands for."""
    return (
        isinstance(node, ast.Attribute | ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
    )


@dataclass(frozen=True)
class Statement:
    """One statement of a cell. makes: names that it may bind. needs: names without which it fails at once."""

    node: ast.stmt
    makes: frozenset[str]
    needs: frozenset[str]


@dataclass(frozen=True)
class Cell:
    """What a cell's source says of names.

    unknown: it may bind anything. stars: modules of which it takes all names. unsure: names of which it cannot be said
    what becomes of them, for a function or a `del` has them in its hands.
    """

    statements: tuple[Statement, ...] = ()
    unknown: bool = False
    stars: tuple[str, ...] = ()
    unsure: frozenset[str] = frozenset()
    makes: frozenset[str] = field(default=frozenset())


_BINDS_ANYTHING = {
    "exec",
    "execfile",
    "globals",
    "locals",
    "vars",
    "get_ipython",
    "__main__",
    "run_path",
    "sys.modules",
}
_HARMLESS = {
    "matplotlib", "config", "load_ext", "reload_ext", "autoreload", "timeit", "pip", "conda", "who", "whos", "pwd", "ls",
    "cd", "env", "precision", "xmode", "pinfo", "pdoc", "psource", "history", "memit", "tensorboard", "pprint", "colors",
}  # fmt: skip
_TIMED = {"time", "timeit", "capture", "prun", "memit"}
"""Magics that run the code behind them."""

_MAGIC = re.compile(r"^(\s*)(?:([\w, ]+?)\s*=\s*)?%(\w+)\s*(.*)$")
_SHELL = re.compile(r"^(\s*)(?:([\w, ]+?)\s*=\s*)?!")


@lru_cache(maxsize=512)
def cell_of(source: str) -> Cell:
    """Read a cell as the kernel would: IPython's magics and shell lines included."""
    if len(source) > TOO_LONG:
        return Cell(unknown=True)
    plain = _without_magics(source)
    if plain is None:
        return Cell(unknown=True)
    try:
        tree = ast.parse(plain)
    except SyntaxError:  # Python refuses it whole; but who knows what it was meant to bind elsewhere
        return Cell(unsure=frozenset(re.findall(r"\w+", source)))
    except TOO_STRANGE:
        return Cell(unknown=True)
    nodes = list(ast.walk(tree))
    mentioned = {n.id for n in nodes if isinstance(n, ast.Name)}
    mentioned |= {n.attr for n in nodes if isinstance(n, ast.Attribute)}
    mentioned |= {
        "sys.modules" for n in nodes if isinstance(n, ast.Attribute) and ast.unparse(n) == "sys.modules"
    }
    imports = [n for n in nodes if isinstance(n, ast.ImportFrom)]
    mentioned |= {
        alias.name for n in nodes if isinstance(n, ast.Import | ast.ImportFrom) for alias in n.names
    }
    unsure = {name for n in nodes if isinstance(n, ast.Global) for name in n.names}
    unsure |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Del)}
    unsure |= {n.name for n in nodes if isinstance(n, ast.ExceptHandler) and n.name}
    statements = tuple(Statement(node, _made(node), _needed(node)) for node in tree.body)
    return Cell(
        statements,
        unknown=bool(mentioned & _BINDS_ANYTHING),
        stars=tuple(n.module or "" for n in imports if any(alias.name == "*" for alias in n.names)),
        unsure=frozenset(unsure),
        makes=frozenset(name for statement in statements for name in statement.makes),
    )


def _without_magics(source: str) -> str | None:
    """The Python that is left of a cell; None where a magic may do anything."""
    lines = source.split("\n")
    first = next((place for place, line in enumerate(lines) if line.strip()), None)
    if first is not None and lines[first].startswith("%%"):
        words = lines[first][2:].split()
        if not words or words[0] not in _TIMED:
            return None
        made = [word for word in words[1:] if word.isidentifier()] if words[0] == "capture" else []
        lines[first] = "; ".join(f"{name} = None" for name in made)
    for place, line in enumerate(lines):
        if found := _MAGIC.match(line):
            space, target, magic, rest = found.groups()
            if target:
                lines[place] = f"{space}{target} = None"
            elif magic == "time":
                lines[place] = space + (rest or "pass")
            elif magic in _HARMLESS:
                lines[place] = f"{space}pass"
            elif not _continues(lines, place):
                return None
        elif found := _SHELL.match(line):
            lines[place] = f"{found[1]}{found[2]} = None" if found[2] else f"{found[1]}pass"
        elif line.strip().startswith("?") or (line.rstrip().endswith("?") and "#" not in line):
            lines[place] = "pass"
    return "\n".join(lines)


def _continues(lines: list[str], place: int) -> bool:
    """Whether a line that begins with % goes on with the one before: `a\\n  % b` in brackets."""
    try:
        ast.parse("\n".join(lines[:place]))
    except SyntaxError:
        return True
    return False


def _made(node: ast.stmt) -> frozenset[str]:
    """The global names that a statement may bind, in whatever branch."""
    found: set[str] = set()
    for part in _at_once(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            found.add(part.id)
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(part.name)
        elif isinstance(part, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in part.names}
        elif isinstance(part, ast.MatchAs | ast.MatchStar) and part.name:
            found.add(part.name)
        elif isinstance(part, ast.MatchMapping) and part.rest:
            found.add(part.rest)
    return frozenset(found - {"*"})


_PLAIN = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.FunctionDef, ast.AsyncFunctionDef)


def _needed(node: ast.stmt) -> frozenset[str]:
    """The global names without which a plain statement fails; none for others, which may go another way."""
    if not isinstance(node, _PLAIN):
        return frozenset()
    parts = list(_at_once(node))
    if any(isinstance(part, ast.IfExp | ast.BoolOp | ast.Lambda | ast.GeneratorExp) for part in parts):
        return frozenset()
    names = [part for part in parts if isinstance(part, ast.Name)]
    own = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        own.discard(node.target.id)
        return frozenset({part.id for part in names} - own)
    return frozenset({part.id for part in names if isinstance(part.ctx, ast.Load)} - own)


def _at_once(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a statement runs, and binds names of the notebook: no bodies of functions and classes, no
    annotations, no variables of comprehensions."""
    waiting: list[ast.AST] = [node]
    while waiting:
        part = waiting.pop()
        yield part
        for name, value in ast.iter_fields(part):
            if name == "body" and isinstance(
                part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
            ):
                continue
            if name in ("annotation", "returns", "type_params") or (
                name == "target" and isinstance(part, ast.comprehension)
            ):
                continue
            waiting += [
                child
                for child in (value if isinstance(value, list) else [value])
                if isinstance(child, ast.AST)
            ]
