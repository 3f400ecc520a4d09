"""Exported C, compiled: as a library that is called from here, or as a program that is run."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

CC = shutil.which("cc") or shutil.which("gcc")
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wdouble-promotion", "-Wshadow", "-Werror"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]

needs_cc = pytest.mark.skipif(CC is None, reason="no C compiler")


def compiled(sources, output, *options, cc=CC):
    """Compile files, at -O1 unless an option says otherwise; what the compiler says is in the error."""
    command = [cc, *STRICT, "-O1", *options, *map(str, sources), "-o", str(output), "-lm"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[:4000]
    assert not result.stderr, result.stderr[:4000]
    return output


def library(sources, folder):
    """The files as one library, from one source that includes them: names do not clash, and compilers begin once."""
    (folder / "all.c").write_text("".join(f'#include "{source.name}"\n' for source in sources))
    return ctypes.CDLL(str(compiled([folder / "all.c"], folder / "all.so", "-shared", "-fPIC")))


def predicted(library, stem, x, outputs, dtype=np.float32):
    """What NAME_predict_rows makes of rows x, and NAME_predict of each alone, which is the same."""
    x = np.ascontiguousarray(x, dtype)
    y, alone = (np.full((len(x), outputs), np.nan, dtype) for _ in range(2))
    getattr(library, f"{stem}_predict_rows")(_address(x), _address(y), ctypes.c_size_t(len(x)))
    for row, result in zip(x, alone, strict=True):
        getattr(library, f"{stem}_predict")(_address(row), _address(result))
    np.testing.assert_array_equal(y, alone)
    return y


def _address(array):
    return ctypes.c_void_p(array.ctypes.data)


def run_tests(stems, folder, *options, cc=CC, under=()):
    """Compile the test programs of networks into one, run it (``under`` an emulator), and return what it says."""
    main = folder / "run_tests.c"
    declared = "".join(f"int {stem}_main(void);\n" for stem in stems)
    called = " + ".join(f"{stem}_main()" for stem in stems)
    main.write_text(f"{declared}int main(void)\n{{\n    return {called};\n}}\n")
    objects = []
    for stem in stems:
        tests = folder / f"{stem}_as_function.c"
        text = (folder / f"{stem}_test.c").read_text()
        tests.write_text(text.replace("int main(void)", f"int {stem}_main(void);\nint {stem}_main(void)"))
        objects += [folder / f"{stem}.c", tests]
    program = compiled([*objects, main], folder / "run_tests", *options, cc=cc)
    result = subprocess.run([*under, str(program)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
