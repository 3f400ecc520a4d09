"""What pyproject.toml cannot say: one Cython extension an instruction set, rendered from the kernels' source.

FASTNN_REQUIRE_EXTENSION=1 makes a failed build an error, FASTNN_NO_EXTENSION=1 skips the extension;
otherwise a failed build leaves the package without the "cython" backend and says so.  MSVC has no vectors of GCC's
kind: on Windows there is no extension, and Numba compiles the kernels.

The extension keeps to Python's stable ABI, so that one wheel a platform serves every Python from 3.11 on.
"""

import importlib
import importlib.util
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = Path("kernels")  # relative, as setuptools wants its sources
REQUIRE = os.environ.get("FASTNN_REQUIRE_EXTENSION", "0") not in ("", "0")
SKIP = os.environ.get("FASTNN_NO_EXTENSION", "0") not in ("", "0")
TARGET = sysconfig.get_platform()  # "linux-x86_64", "macosx-11.0-arm64", "win-amd64": a cross build's, where it is one
LIMITED = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
LIMITED_API = "0x030B0000"  # of Python 3.11
HELP = """\
  fastnn works without it, on the backends "numba" and "numpy"; only "cython" is missing.
  It needs a C compiler and Python's headers. FASTNN_REQUIRE_EXTENSION=1 makes this an error,
  FASTNN_NO_EXTENSION=1 skips the extension."""
if REQUIRE and SKIP:
    sys.exit("FASTNN_REQUIRE_EXTENSION and FASTNN_NO_EXTENSION are both set: unset one of them")


def load_render():
    """fastnn.kernels.render.cython of this folder: the package it belongs to is not installed yet."""
    package = sys.modules["fastnn"] = ModuleType("fastnn")
    package.__path__ = []
    folder = str(Path(__file__).parent / KERNELS)
    spec = importlib.util.spec_from_file_location(
        "fastnn.kernels", f"{folder}/__init__.py", submodule_search_locations=[folder]
    )
    kernels = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kernels)
    return importlib.import_module("fastnn.kernels.render.cython")


def extensions():
    """One extension an instruction set; its source is written when it is built."""
    return [
        Extension(
            f"fastnn.kernels._cython_{isa}",
            [str(KERNELS / f"_cython_{isa}.pyx")],
            include_dirs=[str(KERNELS)],
            depends=[str(header) for header in sorted(KERNELS.glob("*.h"))],
            define_macros=[("Py_LIMITED_API", LIMITED_API)] if LIMITED else [],
            py_limited_api=LIMITED,
            extra_compile_args=[*flags, "-g0"],
            optional=not REQUIRE,  # else --inplace copies one that was not built
        )
        for isa, flags in load_render().cython_isas(TARGET.rpartition("-")[2]).items()
    ]


def of_clang(compiler):
    """Whether a command is clang's, by whichever name: it refuses flags that only GCC knows."""
    try:
        return "clang" in subprocess.run([*compiler, "--version"], capture_output=True, text=True).stdout
    except OSError:  # there is none: the build will say so
        return False


class BuildExtensions(build_ext):
    """Render, translate and compile; two compilers at a time."""

    def finalize_options(self):
        super().finalize_options()
        if self.parallel is None:
            self.parallel = min(2, os.cpu_count() or 1)

    def run(self):
        self.failures = {}
        try:
            self.translate()
        except Exception as error:
            if REQUIRE:
                raise
            self.failures["Cython"] = error
            self.extensions = []
        super().run()
        if self.failures:
            reasons = "\n".join(f"    {name}: {error}" for name, error in self.failures.items())
            self.warn(f"fastnn's Cython extension was not built, or not for every processor.\n{reasons}\n{HELP}")

    def translate(self):
        """Write the .pyx that changed and let Cython turn those into C."""
        from Cython.Build import cythonize

        render = load_render()
        for extension in self.extensions:
            source = Path(extension.sources[0])
            isa = source.stem.removeprefix("_cython_")
            text = render.cython_source(isa)
            if not source.exists() or source.read_text() != text:
                source.write_text(text)
        translated = cythonize(self.extensions, language_level=3, quiet=True)
        for extension, result in zip(self.extensions, translated, strict=True):
            extension.sources = result.sources

    def build_extensions(self):
        if of_clang(self.compiler.compiler):
            unknown = load_render().OF_GCC
            for extension in self.extensions:
                extension.extra_compile_args = [f for f in extension.extra_compile_args if f not in unknown]
        super().build_extensions()

    def build_extension(self, extension):
        try:
            super().build_extension(extension)
        except Exception as error:
            if REQUIRE:
                raise
            self.failures[extension.name] = error


setup(
    ext_modules=[] if SKIP or TARGET.startswith("win") else extensions(),
    cmdclass={"build_ext": BuildExtensions},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED else {},
)
