"""Check how the code is built: the order of imports, no circles, and files and functions that a reader can hold.

    python tests/tools/house.py             print what breaks a rule; exit 1 if anything does
    python tests/tools/house.py --figures   print the largest file and function, the most parameters, and circles
    ... --root FOLDER                       look at another checkout

It reads every module of fastnn/ and kernels/ (which is installed as fastnn.kernels) and runs none. An import within a
function counts like any other, for it can hide a circle; one under ``if TYPE_CHECKING:`` does not.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# The order of imports, from the outside in: a module imports of its own row, or of rows below.
ORDER = [
    ["__main__"],
    ["cli"],
    ["c", "keras", "onnx", "torch"],
    ["learn", "sklearn"],
    ["ensemble"],
    ["models"],
    ["distribution"],
    ["training"],
    ["callbacks"],
    ["plot"],  # below callbacks, because History.plot draws; it knows models by what they can do alone
    ["layers", "losses", "metrics", "optimizers"],
    ["activations", "backend", "constraints", "datasets", "initializers", "regularizers", "schedules", "utils"],
    ["data"],
    ["engine"],
    ["kernels"],
    ["kernels.backends"],
    ["kernels.numba"],
    ["kernels.machine"],
    ["kernels.source"],
    ["kernels.program", "kernels.render"],
    ["kernels.elementary", "kernels.formulas"],
    ["kernels.records", "kernels.tuning", "kernels.values", "kernels.vocabulary"],
    ["kernels.language"],
    ["files"],
    [
        "absent",
        "environment",
        "errors",
        "extras",
        "heeding",
        "locks",
        "names",
        "notebook",
        "turns",
        "typing",
        "undisturbed",
        "version",
    ],
]
FOLDERS = {"fastnn": ["fastnn"], "kernels": ["fastnn", "kernels"]}
FRONT = "fastnn"  # fastnn/__init__.py imports lazily what its users ask for, and no module imports from it

MOST_LINES = 400  # of a file
MOST_BODY = 60  # lines of a function, without its docstring
MOST_PARAMETERS = 8  # of a function, without self and cls

# What may break a rule, and why: a file by its path, a function by its package and its name.
EQUATION = "a formula reads as its equation: an argument a number"
LAYOUT = "what is left when rows, panels, batches and blocks are records: addresses, and sizes of their own"
CALLED = "called by address, with nine integers"
EXCEPTIONS = {
    **{("parameters", f"kernels.formulas.{name}_update"): EQUATION for name in ("adam", "amsgrad", "nadam", "adamax")},
    **{("parameters", f"kernels.formulas.rmsprop_{name}_update"): EQUATION for name in ("momentum", "centered")},
    ("parameters", "kernels.source.crossentropy_rows"): LAYOUT,
    ("parameters", "kernels.source.layer_product"): LAYOUT,
    ("parameters", "kernels.source.log_softmax_loss_rows"): LAYOUT,
    ("parameters", "kernels.source.loss_rows"): LAYOUT,
    ("parameters", "kernels.source.packed_gradient"): LAYOUT,
    ("parameters", "kernels.source.score_crossentropy"): LAYOUT,
    ("parameters", "kernels.source.transform"): LAYOUT,
    ("parameters", "kernels.source.weight_gradient"): LAYOUT,
    ("parameters", "kernels.vocabulary.call_function"): CALLED,
    ("parameters", "engine.BatchLoss._compile.rows_of"): CALLED,
    ("parameters", "engine.ScalarActivation._compile.rows_of"): CALLED,
    ("parameters", "engine.ScalarLoss._compile.rows_of"): CALLED,
    ("parameters", "data.targets"): "a model's requirements of y, a parameter each",
    ("parameters", "callbacks.LambdaCallback.__init__"): "Keras's signature",
    ("parameters", "callbacks.TensorBoard.__init__"): "Keras's signature",
    ("parameters", "layers.BatchNormalization.__init__"): "Keras's signature",
    ("parameters", "layers.Dense.__init__"): "Keras's signature",
    ("parameters", "models.Compiled.compile"): "Keras's signature",
    ("parameters", "models.Sequential.evaluate"): "Keras's signature",
    ("parameters", "layers.Normalizing.__init__"): "Keras's signature",
    ("parameters", "metrics.AUC.__init__"): "Keras's signature",
    ("parameters", "models.Sequential.fit"): "Keras's signature",
    ("parameters", "ensemble.Ensemble.fit"): "Keras's signature, and what members may have each",
    ("parameters", "sklearn.LinearRegression.__init__"): "scikit-learn's way: an argument a setting",
    ("parameters", "sklearn.LogisticRegression.__init__"): "scikit-learn's way: an argument a setting",
    ("parameters", "sklearn.MLPClassifier.__init__"): "scikit-learn's signature",
    ("parameters", "sklearn.MLPRegressor.__init__"): "scikit-learn's signature",
    ("parameters", "sklearn.TabularClassifier.__init__"): "scikit-learn's way: an argument a setting",
    ("parameters", "sklearn.TabularRegressor.__init__"): "scikit-learn's way: an argument a setting",
}


class Function(NamedTuple):
    """A function or method: ``name`` begins with its package, as in models.Sequential.fit."""

    name: str
    path: str
    line: int
    body: int  # lines, without the docstring
    parameters: int


class Module(NamedTuple):
    """A module of fastnn; its name is dotted, and a package stands for its __init__.py."""

    name: str
    path: str
    is_package: bool
    tree: ast.Module
    lines: int

    @property
    def subject(self) -> str:
        """The package or module right below fastnn, or below its kernels, that it belongs to; empty for the front."""
        parts = self.name.split(".")[1:]
        return ".".join(parts[: 2 if parts[:1] == ["kernels"] else 1])


def read_modules(root: Path) -> dict[str, Module]:
    """Parse every module below a checkout, by its dotted name."""
    modules = {}
    for folder, package in FOLDERS.items():
        for path in sorted((root / folder).rglob("*.py")):
            parts = [*package, *path.relative_to(root / folder).with_suffix("").parts]
            name = ".".join(part for part in parts if part != "__init__")
            text = path.read_text(encoding="utf-8")
            place = str(path.relative_to(root))
            modules[name] = Module(name, place, path.stem == "__init__", ast.parse(text), text.count("\n"))
    return modules


def import_statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Find the imports within a node, at any depth, but for those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from import_statements(other)
        else:
            yield from import_statements(child)


def imports(module: Module, modules: dict[str, Module]) -> dict[str, int]:
    """Return the modules of fastnn that a module imports, each with the line of an import.

    An import of a.b.c runs a and a.b too, so they count, unless the importing module lies within them.
    """
    found: dict[str, int] = {}
    for statement in import_statements(module.tree):
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        else:
            base = statement.module or ""
            if statement.level:
                parts = module.name.split(".")
                parts = parts[: len(parts) - statement.level + module.is_package]
                base = ".".join([*parts, *filter(None, [base])])
            submodules = [f"{base}.{alias.name}" for alias in statement.names]
            names = [name if name in modules else base for name in submodules]
        for name in names:
            if name in modules:
                parts = name.split(".")
                packages = [".".join(parts[:k]) for k in range(1, len(parts))]
                around = [p for p in packages if p in modules and not f"{module.name}.".startswith(f"{p}.")]
                for target in (name, *around):
                    found.setdefault(target, statement.lineno)
    found.pop(module.name, None)
    return found


def circles(graph: dict[str, dict[str, int]]) -> list[list[str]]:
    """Return the groups of modules that import one another, directly or through others."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for name in graph[waiting.pop()]:
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)
        return seen

    reach = {name: reached(name) for name in graph}
    groups = {tuple(sorted(other for other in reach[name] if name in reach[other])) for name in graph}
    return [list(group) for group in sorted(groups) if group]


def functions(module: Module) -> Iterator[Function]:
    """Find every function of a module, those within classes and functions too."""

    def walk(node: ast.AST, name: str) -> Iterator[Function]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                inner = f"{name}.{child.name}"
                given = child.args
                arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
                count = sum(a is not None for a in arguments)
                if isinstance(node, ast.ClassDef) and "staticmethod" not in map(ast.unparse, child.decorator_list):
                    count -= 1  # self or cls
                statements = child.body[ast.get_docstring(child) is not None :]
                body = (child.end_lineno or 0) - statements[0].lineno + 1 if statements else 0
                yield Function(inner, module.path, child.lineno, body, count)
                yield from walk(child, inner)
            else:
                yield from walk(child, f"{name}.{child.name}" if isinstance(child, ast.ClassDef) else name)

    yield from walk(module.tree, module.subject or FRONT)


def order_problems(modules: dict[str, Module], graph: dict[str, dict[str, int]]) -> Iterator[str]:
    """Find modules outside of the order, imports against it, and re-exports that would hide one."""
    rows = {subject: row for row, subjects in enumerate(ORDER) for subject in subjects}
    for name, module in modules.items():
        if name == FRONT:
            continue
        if module.subject not in rows:
            yield f"{module.path}: {module.subject} is not in the order of imports"
        for node in module.tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == "__getattr__" and "import" in ast.unparse(node):
                yield f"{module.path}:{node.lineno}: a module's __getattr__ hides what it imports"
        for target, line in graph[name].items():
            other = modules[target].subject
            if target == FRONT:
                yield f"{module.path}:{line}: imports from fastnn itself, whose front is for users"
            elif module.subject.startswith("kernels") and not other.startswith("kernels"):
                yield f"{module.path}:{line}: kernels import {target}, and may import nothing of fastnn"
            elif rows.get(other, len(ORDER)) < rows.get(module.subject, -1):
                yield f"{module.path}:{line}: {module.subject} imports {target}, which is further out"


def size_problems(modules: dict[str, Module]) -> Iterator[tuple[str, str, str]]:
    """Find what is too large: the rule's name, what breaks it, and the message."""
    for module in modules.values():
        if module.lines > MOST_LINES:
            yield "lines", module.path, f"{module.path}: {module.lines} lines; at most {MOST_LINES}"
        for function in functions(module):
            place = f"{function.path}:{function.line}: {function.name}"
            if function.body > MOST_BODY:
                yield "body", function.name, f"{place} is {function.body} lines long; at most {MOST_BODY}"
            if function.parameters > MOST_PARAMETERS:
                message = f"{place} has {function.parameters} parameters; at most {MOST_PARAMETERS}"
                yield "parameters", function.name, message


def problems(root: Path) -> list[str]:
    """Return everything that breaks a rule, a line each."""
    modules = read_modules(root)
    graph = {name: imports(module, modules) for name, module in modules.items()}
    found = list(order_problems(modules, graph))
    found += [f"a circle of imports: {', '.join(circle)}" for circle in circles(graph)]
    needed = set()
    for rule, what, message in size_problems(modules):
        needed.add((rule, what))
        if (rule, what) not in EXCEPTIONS:
            found.append(message)
    found += [f"the exception {key} is no longer needed" for key in EXCEPTIONS if key not in needed]
    return found


def figures(root: Path) -> list[str]:
    """Return the largest file and function, the most parameters, and the number of modules in circles."""
    modules = read_modules(root)
    graph = {name: imports(module, modules) for name, module in modules.items()}
    every = [function for module in modules.values() for function in functions(module)]
    largest = max(modules.values(), key=lambda module: module.lines)
    longest, widest = max(every, key=lambda f: f.body), max(every, key=lambda f: f.parameters)
    rounds = circles(graph)
    headers = {folder: (root / folder).rglob("*.h") for folder in FOLDERS}
    lines = {folder: sum(path.read_text().count("\n") for path in headers[folder]) for folder in FOLDERS}
    for module in modules.values():
        lines[module.path.partition("/")[0]] += module.lines
    return [
        f"largest file          {largest.path}, {largest.lines} lines",
        f"largest function      {longest.name} ({longest.path}), {longest.body} lines without its docstring",
        f"most parameters       {widest.name} ({widest.path}), {widest.parameters}",
        f"modules in circles    {sum(map(len, rounds))}" + "".join(f"\n  {', '.join(circle)}" for circle in rounds),
        f"files above {MOST_LINES}       {sum(module.lines > MOST_LINES for module in modules.values())}",
        f"functions above {MOST_BODY}    {sum(function.body > MOST_BODY for function in every)}",
        f"parameters above {MOST_PARAMETERS}    {sum(function.parameters > MOST_PARAMETERS for function in every)}",
        "lines                 " + ", ".join(f"{folder} {count}" for folder, count in lines.items()),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--figures", action="store_true", help="print figures instead, and exit 0")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2], help="a checkout")
    arguments = parser.parse_args()
    found = (figures if arguments.figures else problems)(arguments.root)
    print(*found, sep="\n", end="\n" if found else "")
    return int(bool(found) and not arguments.figures)


if __name__ == "__main__":
    sys.exit(main())
