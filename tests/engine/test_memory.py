"""No step allocates: not in what Python counts, not in the C library's heap, and no machine code knows an allocator."""

import ctypes
import gc
import importlib
import re
import struct
import sys
import tracemalloc
from pathlib import Path

import naive
import pytest

from fastnn.engine import load

BATCH, FEW, MANY = 8, 10, 10_000
compiled = pytest.mark.parametrize("backend", ["numba", "cython"], indirect=True)


@pytest.fixture
def fit(network, backend, threads, optimizer):
    """Trains for so many steps a model that has trained before, so that all its buffers are there."""
    sizes, loss = [6, 33, 3], "sparse_categorical_crossentropy"
    options = {"loss": loss, "optimizer": optimizer, "metrics": ["accuracy"], "backend": backend, "threads": threads}
    model = network(sizes, ["tanh", "softmax"], naive.random_weights(sizes), **options)
    x, y = naive.random_data(loss, MANY * BATCH, sizes[0], sizes[-1])
    x = x.astype("float32")

    def run(steps):
        rows = steps * BATCH
        model.fit(x[:rows], y[:rows], batch_size=BATCH, verbose=0)

    run(FEW)
    return run


@compiled
@pytest.mark.parametrize(("threads", "optimizer"), [(1, "sgd"), (1, "adam"), (2, "adam")])
def test_python_allocates_as_much_for_many_steps_as_for_few(fit):
    peaks = []
    tracemalloc.start()
    try:
        for steps in (FEW, MANY):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            fit(steps)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + BATCH * MANY / 16  # a bit a row would be more


def heap():
    """Bytes that the C library's allocator has given out and not got back."""
    names = ["arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"]
    kind = type("mallinfo2", (ctypes.Structure,), {"_fields_": [(name, ctypes.c_size_t) for name in names]})
    try:
        function = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError):
        pytest.skip("the C library has no mallinfo2")
    function.restype = kind
    found = function()
    return found.uordblks + found.hblkhd


@compiled
@pytest.mark.parametrize(("threads", "optimizer"), [(1, "sgd")])
def test_nothing_is_left_on_the_heap_by_many_steps(fit):
    def growth(steps):
        """The least of some: earlier tests' threads and caches come and go meanwhile."""
        found = []
        for _ in range(5):
            gc.collect()
            before = heap()
            fit(steps)
            found.append(heap() - before)
        return min(found)

    assert growth(MANY) < growth(FEW) + BATCH * MANY / 16


# --- The machine code: what its symbol table wants of others --------------------------------------------------------

ALLOCATOR = re.compile(
    r"(m|c|re|v|pv|aligned_)alloc|reallocarray|posix_memalign|memalign|strn?dup|mmap(64)?|mremap|s?brk|_Zn[wa]\w*"
    r"|NRT_\w*[aA]lloc\w*|Py\w+_(Raw)?(Malloc|Calloc|Realloc)"
)
SECTION, SYMBOL = struct.Struct("<IIQQQQIIQQ"), struct.Struct("<IBBHQQ")
SYMBOL_TABLES = 2, 11
elf = pytest.mark.skipif(
    sys.platform != "linux" or sys.byteorder != "little" or sys.maxsize < 2**32,
    reason="the files are no little-endian 64-bit ELF",
)


def wanted(content):
    """Names of the functions that a 64-bit little-endian ELF file has not itself."""
    start = struct.unpack_from("<Q", content, 40)[0]
    size, count = struct.unpack_from("<HH", content, 58)
    sections = [SECTION.unpack_from(content, start + number * size) for number in range(count)]
    names = set()
    for kind, place, length, link in ((s[1], s[4], s[5], s[6]) for s in sections):
        if kind in SYMBOL_TABLES:
            for name, _, _, section, _, _ in SYMBOL.iter_unpack(content[place : place + length]):
                if section == 0:
                    begin = sections[link][4] + name
                    names.add(content[begin : content.index(b"\0", begin)].decode().split("@")[0])
    return names


def machine_code(backend, dtype):
    """The ELF file that the kernels are in."""
    run = load(backend, dtype)[1]
    if backend == "cython":
        return Path(sys.modules[run.__module__].__file__).read_bytes()
    kernels = importlib.import_module("fastnn.kernels.backends.numba")
    key = kernels._key(dtype)
    content = kernels.cache.read(kernels._name(dtype, key), key)
    return content[content.index(b"\x7fELF") :]


@compiled
@elf
def test_machine_code_of_the_kernels_calls_no_allocator(backend, dtype):
    names = wanted(machine_code(backend, dtype))
    assert "usleep" in names  # the barrier's: calls are seen
    found = {name for name in names if ALLOCATOR.fullmatch(name)}
    if backend == "cython":  # Python's serve the module's import; kernels, which hold no lock of Python's, call none
        found = {name for name in found if not name.startswith("Py")}
    assert not found


@elf
def test_an_allocator_would_be_seen():
    """NumPy's machine code calls some."""
    file = importlib.import_module("numpy._core._multiarray_umath").__file__
    found = {name for name in wanted(Path(file).read_bytes()) if ALLOCATOR.fullmatch(name)}
    assert {"malloc", "calloc"} <= found
