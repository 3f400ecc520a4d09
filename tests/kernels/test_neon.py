"""The kernels for aarch64, compiled by a cross compiler and run by an emulator, where these are to be had.

That is Debian's gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user-static, and Python's headers.  A program in
C has the rendered extension in it, of which it calls single functions; nothing of Python runs.
"""

import shutil
import subprocess
import sysconfig

import numpy as np
import pytest

from fastnn.kernels.render.cython import cython_source
from fastnn.kernels.render.instruction_sets import BY_MACHINE, COMMON_FLAGS
from fastnn.kernels.render.sources import HERE

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
NEON = BY_MACHINE["aarch64"]["neon"]
DEPTH, ROWS, COUNT = 133, NEON.tile_rows, 64
DTYPES = ("float32", "float64")

PROGRAM = """
#include "neon.c"
#include <stdio.h>
#include <string.h>
#define IN(TYPE, NAME, COUNT) static TYPE NAME[COUNT]; if (!fread(NAME, sizeof NAME, 1, stdin)) return 1;
#define OUT(NAME) fwrite(NAME, sizeof NAME, 1, stdout);
#define P(ARRAY) ((int64_t)(ARRAY))
#define EACH(DTYPE, FUNCTION)                                                                          \\
    for (int i = 0; i < COUNT; i += LANES) store_##DTYPE(P(y), i, FUNCTION(load_##DTYPE(P(x), i)));    \\
    OUT(y)
#define TILE(NAME, VECTORS, DTYPE, ...)                                                                \\
    memcpy(sums, c, sizeof c);                                                                         \\
    __pyx_f_4neon_##NAME##_##DTYPE(DEPTH, P(a), DEPTH, 1, P(b), COLUMNS, 1, P(sums), COLUMNS __VA_ARGS__); \\
    OUT(sums)
#define CASES(DTYPE, REAL, TINY)                                                                       \\
    static int cases_##DTYPE(void) {                                                                   \\
        enum { LANES = 16 / sizeof(REAL), COLUMNS = 3 * LANES };                                       \\
        IN(REAL, a, ROWS * DEPTH) IN(REAL, b, DEPTH * COLUMNS) IN(REAL, c, ROWS * COLUMNS) IN(REAL, x, COUNT) \\
        static REAL sums[ROWS * COLUMNS], y[COUNT], probe[4];                                          \\
        TILE(tile_8x3, 3, DTYPE)                                                                       \\
        TILE(deep_tile_8x3, 3, DTYPE, , P(a), 1, P(a), 1, P(b), 1)                                     \\
        TILE(tile_4x2, 2, DTYPE)                                                                       \\
        EACH(DTYPE, rint_##DTYPE) EACH(DTYPE, sqrt_##DTYPE) EACH(DTYPE, reciprocal_##DTYPE)            \\
        EACH(DTYPE, __pyx_f_4neon_exp_##DTYPE) EACH(DTYPE, __pyx_f_4neon_log_##DTYPE)                  \\
        EACH(DTYPE, __pyx_f_4neon_tanh_##DTYPE) EACH(DTYPE, sum_lanes_##DTYPE)                         \\
        volatile REAL tiny = (REAL)TINY, half = (REAL)0.5;                                             \\
        int64_t state = flush_denormals();                                                             \\
        probe[0] = tiny * half;                                                                        \\
        restore_denormals(state);                                                                      \\
        probe[1] = tiny * half;                                                                        \\
        vector_##DTYPE nan = splat_##DTYPE(NAN), one = splat_##DTYPE(1.0);                             \\
        probe[2] = maximum_##DTYPE(nan, one)[0];                                                       \\
        probe[3] = maximum_##DTYPE(one, splat_##DTYPE(2.0))[0];                                        \\
        OUT(probe)                                                                                     \\
        return 0;                                                                                      \\
    }
CASES(float32, float, 0x1p-126)
CASES(float64, double, 0x1p-1022)

int main(void) {
    int64_t words[2] = {5, 7};
    if (atomic_add(P(words), 1, 3) != 7 || atomic_get(P(words), 1) != 10) return 2;
    spin_pause();
    short_sleep();
    return cases_float32() || cases_float64();
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The program's path, and the folder with the assembly of its tiles."""
    if not (EMULATOR and shutil.which(COMPILER)):
        pytest.skip(f"{COMPILER} or qemu-aarch64-static is not here")
    main = pytest.importorskip("Cython.Compiler.Main")
    folder = tmp_path_factory.mktemp("neon")
    command = [COMPILER, *COMMON_FLAGS, *NEON.flags, "-w", f"-I{sysconfig.get_path('include')}", f"-I{HERE}"]
    (folder / "empty.c").write_text("#include <Python.h>\n")
    if subprocess.run([*command, "-fsyntax-only", "empty.c"], cwd=folder, capture_output=True).returncode:
        pytest.skip("Python's headers do not fit the cross compiler")
    (folder / "neon.pyx").write_text(cython_source("neon"))
    options = main.CompilationOptions(language_level=3)
    assert main.compile(str(folder / "neon.pyx"), options, full_module_name="neon").num_errors == 0
    sizes = [f"-DDEPTH={DEPTH}", f"-DROWS={ROWS}", f"-DCOUNT={COUNT}"]
    (folder / "program.c").write_text(PROGRAM)
    target = ["-static", "-o", "program", "program.c", "-lm", "-Wl,--unresolved-symbols=ignore-all"]
    subprocess.run([*command, *sizes, *target], cwd=folder, check=True)  # what is Python's is never called
    return folder / "program"


def inputs(dtype):
    rng = np.random.default_rng(0)
    columns = 3 * 16 // np.dtype(dtype).itemsize
    sizes = [(ROWS, DEPTH), (DEPTH, columns), (ROWS, columns)]
    return [*(rng.standard_normal(size).astype(dtype) for size in sizes), rng.uniform(0.1, 9.5, COUNT).astype(dtype)]


@pytest.fixture(scope="module")
def answers(program):
    """By dtype: all that the program computed."""
    given = b"".join(array.tobytes() for dtype in DTYPES for array in inputs(dtype))
    done = subprocess.run([EMULATOR, str(program)], input=given, capture_output=True, check=True)
    found, at = {}, 0
    for dtype in DTYPES:
        size = np.dtype(dtype).itemsize
        counts = [inputs(dtype)[2].size] * 3 + [COUNT] * 7 + [4]
        found[dtype] = []
        for count in counts:
            found[dtype].append(np.frombuffer(done.stdout, dtype, count, at))
            at += count * size
    assert at == len(done.stdout)
    return found


def test_tiles_multiply_and_add(answers, dtype):
    a, b, c, _ = inputs(dtype)
    product, rounding = a.astype("f8") @ b.astype("f8"), 40 * np.finfo(dtype).eps
    tall, deep, low = (sums.reshape(c.shape) for sums in answers[dtype][:3])
    np.testing.assert_allclose(tall, product + c, rtol=rounding, atol=rounding)
    assert np.array_equal(tall, deep)  # the same sums, in the same order
    lanes = c.shape[1] // 3
    assert np.array_equal(low[:4, : 2 * lanes], tall[:4, : 2 * lanes])
    assert np.array_equal(low[4:], c[4:])
    assert np.array_equal(low[:, 2 * lanes :], c[:, 2 * lanes :])


def test_multiplying_and_adding_rounds_once(answers):
    """In float32: both are exact in float64, but for one bit in 2**29 that is rounded twice."""
    a, b, c, _ = inputs("float32")
    fused, twice = c.copy(), c.copy()
    for k in range(DEPTH):
        exact = np.multiply.outer(a[:, k].astype("f8"), b[k].astype("f8"))
        fused = (exact + fused).astype("f4")
        twice = exact.astype("f4") + twice
    assert np.array_equal(answers["float32"][0].reshape(c.shape), fused)
    assert not np.array_equal(twice, fused)


def test_words_and_elementary_functions(answers, dtype):
    x = inputs(dtype)[3].astype("f8")
    lanes = 16 // np.dtype(dtype).itemsize
    sums = np.repeat(x.reshape(-1, lanes).sum(axis=1), lanes)
    expected = [np.rint(x), np.sqrt(x), 1 / x, np.exp(x), np.log(x), np.tanh(x), sums]
    for found, right in zip(answers[dtype][3:10], expected, strict=True):
        np.testing.assert_allclose(found, right, rtol=8 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)


def test_denormals_are_zero_within_alone_and_nan_is_let_through(answers, dtype):
    flushed, kept, of_nan, of_numbers = answers[dtype][10]
    assert flushed == 0
    assert kept == np.finfo(dtype).tiny / 2
    assert np.isnan(of_nan)
    assert of_numbers == 2


def test_sums_of_the_largest_tiles_stay_in_registers(program):
    """Its loops multiply by a lane, and neither store a vector nor read one from the stack."""
    listing = subprocess.run(
        [COMPILER.replace("gcc", "objdump"), "-d", "--no-show-raw-insn", str(program)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for dtype in DTYPES:
        body = listing.split(f"deep_tile_8x3_{dtype}>:\n")[1].split("\n\n")[0].splitlines()
        assert sum("fmla" in line for line in body) == 5 * 24
        assert sum("fmla" in line and "[0]" in line for line in body) == 5 * 24
        assert not [line for line in body if "\tq" in line.replace(" ", "\t") and "[sp" in line]
