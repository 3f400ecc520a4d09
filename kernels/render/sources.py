"""The kernels' source as text: functions, their types, tables, records.  It is read, never imported."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

from .. import records, tuning, values, vocabulary
from ..language import Record
from .tables import Row, literals, table, with_row

HERE = Path(__file__).resolve().parent.parent

FORMULAS = ("activations", "noise", "losses", "optimizers")


READ = ("source/*.py", "formulas/*.py", "render/*.py", "*.py", "*.h")
"""The files that whatever is rendered follows from, below HERE."""


def digest() -> str:
    """A digest of those files: what was rendered and compiled before it changed is stale."""
    found = hashlib.sha256()
    for path in sorted(path for pattern in READ for path in HERE.glob(pattern)):
        found.update(f"{path.relative_to(HERE)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def places(record: type[Record], before: str = "", start: int = 0) -> dict[str, tuple[str, int]]:
    """The type of each field of a record, groups' included, and its place among them."""
    found: dict[str, tuple[str, int]] = {}
    for name, kind in records.fields(record).items():
        if kind in SCALARS:
            found[before + name] = SCALARS[kind], start + len(found)
        else:
            found |= places(getattr(records, kind), f"{before}{name}.", start + len(found))
    return found


def numbers_of(module: ModuleType) -> dict[str, int]:
    """The named integers of a module."""
    return {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, int)}


SCALARS = {
    "Integer": "integer",
    "Address": "integer",
    "Code": "integer",
    "Row": "integer",
    "Double": "double",
    "Vector": "vector",
    "Half": "half",
    "Mask": "mask",
    "Real": "real",
}
"""Types by their names in annotations; any other name is a record's, of records.py or of values.py."""

KIND_WORDS = {"read": "real", "read_vector": "vector", "read_integer": "integer"}
"""Words of each kind of data, by the types of their results."""

VALUES: dict[str, dict[str, str]] = {
    name: {field: what.__forward_arg__ for field, what in kind.__annotations__.items()}
    for name, kind in vars(values).items()
    if hasattr(kind, "_fields")
}
"""The records of values: the names of their fields and of these' types."""


def kind_of(annotation: ast.expr | None) -> str | None:
    """The type that an annotation names; None for None."""
    if annotation is None or (isinstance(annotation, ast.Constant) and annotation.value is None):
        return None
    assert isinstance(annotation, ast.Name), ast.unparse(annotation)
    return SCALARS.get(annotation.id, annotation.id)


@dataclass(frozen=True)
class Signature:
    """The types of a function's arguments, by name, and of its result."""

    arguments: dict[str, str]
    result: str | None

    @classmethod
    def of(cls, function: ast.FunctionDef) -> Signature:
        arguments = {a.arg: kind_of(a.annotation) or "" for a in function.args.args}
        return cls(arguments, kind_of(function.returns))


@dataclass(frozen=True)
class Kernel:
    """A kernel's text and what its decorator says."""

    function: ast.FunctionDef
    inline: bool
    apart: bool
    table: str

    @property
    def chosen(self) -> bool:
        """Whether a row of the table is chosen by its code, and not that of the caller."""
        return ast.unparse(self.function.args.args[0].annotation or self.function) == "Code"


class Source:
    """All that is read, and what follows from it for any dtype and instruction set."""

    def __init__(self) -> None:
        self.modules = {path.stem: parse(path) for path in sorted((HERE / "source").glob("*.py"))}
        trees = {name: parse(HERE / "formulas" / f"{name}.py") for name in FORMULAS}
        self.formulas = {name: f for tree in trees.values() for name, f in functions(tree).items()}
        elementary = parse(HERE / "elementary.py")
        self.elementary = functions(elementary)
        self.numbers_of_types: dict[str, tuple[float, float]] = literals(elementary)["NUMBERS"]
        self.numbers: dict[str, float] = {
            name: float(value)
            for tree in trees.values()
            for name, value in literals(tree).items()
            if not isinstance(value, dict)
        }
        self.activations = table(trees["activations"], "ACTIVATIONS")
        self.losses = table(trees["losses"], "LOSSES")
        self.optimizers = table(trees["optimizers"], "OPTIMIZERS")
        self.tables = self._tables()
        self.places = {"Layer": places(records.Layer), "Job": places(records.Job)}
        self.kernels = {
            name: declared
            for tree in self.modules.values()
            for name, function in functions(tree).items()
            if (declared := _declared(function))
        }
        self.constants: dict[str, int] = {
            **{row.name.upper(): row.code for row in [*self.activations, *self.losses]},
            **numbers_of(records),
            **numbers_of(tuning),
        }

    def _tables(self) -> dict[str, list[Row]]:
        plain = [row for row in self.losses if "of_log_softmax" not in row.flags]
        return {
            "VALUES": [r for r in self.activations if r.formulas[0]],
            "KEPT_SLOPES": [r for r in self.activations if r.formulas[1] and self.takes(r.formulas[1], "x")],
            "DERIVED_SLOPES": [r for r in self.activations if r.formulas[1] and self.takes(r.formulas[1], "y")],
            "LOSS_VALUES": [r for r in plain if r.formulas[0]],
            "LOSS_GRADIENTS": [r for r in plain if r.formulas[1]],
            "LOG_SOFTMAX_LOSSES": [r for r in self.losses if "of_log_softmax" in r.flags],
            "KINDS": [Row(kind, code) for code, kind in enumerate(records.KINDS)],
        }

    def takes(self, formula: str, argument: str) -> bool:
        return argument in [a.arg for a in self.formulas[formula].args.args]

    @cached_property
    def rows(self) -> dict[str, Kernel]:
        """The kernels of tables, one for each row, by names that end in the row's."""
        return {
            f"{name}_{row.name}": Kernel(with_row(kernel.function, row, self.takes), kernel.inline, kernel.apart, "")
            for name, kernel in self.kernels.items()
            if kernel.table
            for row in self.tables[kernel.table]
        }

    @cached_property
    def vocabulary(self) -> dict[str, Signature]:
        """Words by name; of those for each kind of data, or for each distance, the names end in it."""
        found: dict[str, Signature] = {}
        for name, function in functions(parse(Path(vocabulary.__file__))).items():
            signature = Signature.of(function)
            if signature.arguments.pop("distance", None):
                found |= {f"{name}_{distance}": signature for distance in vocabulary.DISTANCES}
            else:
                found[name] = signature
        for kind in records.KINDS:
            for word, result in KIND_WORDS.items():
                found[f"{word}_{kind}"] = Signature({"address": "integer"}, result)
        return found

    @cached_property
    def signatures(self) -> dict[str, Signature]:
        """Of all that kernels call by name: kernels, what is written out for them, and the vocabulary."""
        written = {name: f for tree in self.modules.values() for name, f in functions(tree).items()}
        of_vectors = {without_dtype(name): f for name, f in self.elementary.items()} | self.formulas
        return {
            **{name: Signature({a.arg: "vector" for a in f.args.args}, "vector") for name, f in of_vectors.items()},
            **self.vocabulary,
            **{name: Signature.of(f) for name, f in written.items()},
            **{name: Signature.of(kernel.function) for name, kernel in self.rows.items()},
        }


def _declared(function: ast.FunctionDef) -> Kernel | None:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Name) and decorator.id == "kernel":
            return Kernel(function, False, False, "")
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "kernel":
            options = {str(k.arg): k.value for k in decorator.keywords}
            each = options.get("each")
            return Kernel(
                function, "inline" in options, "apart" in options, each.id if isinstance(each, ast.Name) else ""
            )
    return None


def without_dtype(name: str) -> str:
    return name.removesuffix("_float32").removesuffix("_float64")
