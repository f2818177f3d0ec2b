"""The mutants of a module: its source with one thing changed, as a slip of the hand would.

A comparison, a boolean, a number, a text or an operator becomes another; a condition is turned
round; a function returns nothing; a statement is left out. What says nothing to a program is left
alone: annotations, docstrings, decorators, `__all__`, and the wording of sentences.
"""

import ast
from collections.abc import Iterator

from attrs import frozen

__all__ = ["Mutant", "mutants_of"]

_COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_LEFT_OUT = (ast.AugAssign, ast.Raise, ast.Delete)


@frozen
class Mutant:
    """One change.

    Attributes:
        line: where it is.
        change: what was there and what is there now; with the line it names the mutant.
    """

    line: int
    change: str
    _original: str
    _place: int

    @property
    def name(self):
        return f"{self.line}: {self.change}"

    @property
    def source(self):
        """The whole module with it."""
        tree = ast.parse(self._original)
        node, changed = _ordered(tree)[self._place]
        return ast.unparse(ast.fix_missing_locations(_Replacing(node, changed).visit(tree)))


def mutants_of(source: str) -> Iterator[Mutant]:
    """All mutants of `source`, in the order of its lines; those with equal names are numbered."""
    seen = {}
    for place, (node, changed) in enumerate(_ordered(ast.parse(source))):
        said = f"{_short(node)} -> {_short(changed)}"
        count = seen[node.lineno, said] = seen.get((node.lineno, said), 0) + 1
        yield Mutant(node.lineno, said if count == 1 else f"{said} ({count})", source, place)


def _ordered(tree):
    return sorted(_changes(tree), key=lambda change: (change[0].lineno, change[0].col_offset))


class _Replacing(ast.NodeTransformer):
    def __init__(self, node, changed):
        self._node, self._changed = node, changed

    def visit(self, node):
        return self._changed if node is self._node else self.generic_visit(node)


def _changes(tree):
    for node in _living(tree):
        for changed in _changed(node):
            yield node, changed


def _short(node):
    if isinstance(node, ast.If | ast.While):
        return f"if {_short(node.test)}"
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _living(node):
    """The nodes below `node` whose change a program would notice."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list"} or _is_mute(node, name):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_silent(child):
                yield child
                yield from _living(child)


def _is_mute(node, name):
    """Sentences: what an error is made with, and the pieces between the values of an f-string."""
    if isinstance(node, ast.Raise):
        return name == "cause"
    return isinstance(node, ast.JoinedStr)


def _is_silent(node):
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]) in {"__all__", "__slots__"}
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value


def _changed(node):  # noqa: C901 - a table, written as cases
    match node:
        case ast.Compare(ops=ops):
            for at, op in enumerate(ops):
                yield _replaced(node, ops=[*ops[:at], _COMPARISONS[type(op)](), *ops[at + 1 :]])
        case ast.BoolOp(op=op):
            yield _replaced(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(op=op) if type(op) in _OPERATORS:
            yield _replaced(node, op=_OPERATORS[type(op)]())
        case ast.AugAssign(op=op) if type(op) in _OPERATORS:
            yield _replaced(node, op=_OPERATORS[type(op)]())
            yield ast.Pass()
        case ast.Constant(value=value):
            yield from map(ast.Constant, _other_values(value))
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant):
                yield _replaced(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.Return(value=value) if value is not None and ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case _ if isinstance(node, _LEFT_OUT):
            yield ast.Pass()


def _other_values(value):
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1]
    if isinstance(value, str):
        return [f"{value}X"]
    return [value + b"X"] if isinstance(value, bytes) else []


def _replaced(node, **fields):
    kept = dict(ast.iter_fields(node))
    return type(node)(**(kept | fields))
