"""What kernels compute with: each word is an instruction or a few, on vectors, on memory, between threads.

Numba's code for them is in numba/*_words.py, C's in primitives.h and primitives_real.h; here stand their types,
which both follow, and what they mean.  Addresses count bytes, indices count values.  Formulas use some of these words
too, on NumPy arrays as well: see formulas/arrays.py.
"""

from .language import Address, Double, Half, Integer, Mask, Real, Vector

# --- Memory ----------------------------------------------------------------------------------------------------------


def load(address: Address, index: Integer) -> Vector:
    """LANES reals, the first at the index."""


def store(address: Address, index: Integer, value: Vector) -> None:
    """Write LANES reals, the first to the index."""


def broadcast(address: Address, index: Integer) -> Vector:
    """One real, in every lane."""


def load_half(address: Address, index: Integer) -> Half:
    """Half of LANES reals, the first at the index."""


def store_half(address: Address, index: Integer, value: Half) -> None:
    """Write half of LANES reals, and as many zeros behind them."""


def get(address: Address, index: Integer) -> Double:
    """One real."""


def put(address: Address, index: Integer, value: Double) -> None:
    """Write one real, rounded."""


def write(address: Address, index: Integer, value: Real) -> None:
    """Write one real as it is."""


def copy(source: Address, index: Integer, target: Address, place: Integer) -> None:
    """Copy one real."""


def get_integer(address: Address, index: Integer) -> Integer:
    """One integer of 64 bits."""


def put_integer(address: Address, index: Integer, value: Integer) -> None:
    """Write one integer of 64 bits."""


def get_index(address: Address, index: Integer) -> Integer:
    """One integer of 32 bits."""


def get_double(address: Address, index: Integer) -> Double:
    """One real of 64 bits."""


def put_double(address: Address, index: Integer, value: Double) -> None:
    """Write one real of 64 bits."""


def prefetch(address: Address) -> None:
    """Ask for a cache line, to read it."""


def prefetch_write(address: Address) -> None:
    """Ask for a cache line, to write to it: stores wait for one another, such requests do not."""


# --- Vectors ---------------------------------------------------------------------------------------------------------


def splat(value: Double) -> Vector:
    """The value, rounded, in every lane."""


def splat_half(value: Double) -> Half:
    """The value, rounded, in every lane of half a vector."""


def first_lane(a: Vector) -> Double:
    """The value of the first lane."""


def lane_numbers() -> Vector:
    """0, 1, 2 ..."""


def sum_lanes(a: Vector) -> Vector:
    """The sum of all lanes, in every lane: halves are added, quarters ..."""


def max_lanes(a: Vector) -> Vector:
    """The largest of all lanes, in every lane."""


def fma(a: Vector, b: Vector, c: Vector) -> Vector:
    """a * b + c, rounded once; twice where the processor has no such instruction."""


def accumulated(a: Vector, b: Vector, c: Vector) -> Vector:
    """fma, in the register that c is in: else GCC lets a tile's sums wander, and spills some."""


def accumulated_half(a: Vector, b: Half, c: Half) -> Half:
    """fma of the first half of a and two halves, in the register that c is in."""


def in_register(a: Vector) -> Vector:
    """The value, kept in a register: else LLVM reads it from memory again for each use."""


def reciprocal(a: Vector) -> Vector:
    """1 / a, within an ulp, of finite numbers that are not denormal."""


def sqrt(a: Vector) -> Vector:
    """The square root, within an ulp, of finite numbers that are not denormal, and of 0."""


def absolute(a: Vector) -> Vector:
    """|a|."""


def copysign(a: Vector, sign: Vector) -> Vector:
    """|a| with the sign of the other."""


def rint(a: Vector) -> Vector:
    """The nearest integer, of halves the even one."""


def maximum(a: Vector, b: Vector) -> Vector:
    """The larger one; a NaN in a is let through, so that divergence is never hidden."""


def minimum(a: Vector, b: Vector) -> Vector:
    """The smaller one; a NaN in a is let through."""


def two_to_the(n: Vector) -> Vector:
    """2**n, of an integer n whose power is a normal number."""


def exponent(a: Vector) -> Vector:
    """The exponent e of a positive number m 2**e, with m from 1 to below 2."""


def mantissa(a: Vector) -> Vector:
    """The m of a positive number m 2**e, from 1 to below 2."""


def exp(a: Vector) -> Vector:
    """e**a; written in elementary.py, as the next."""


def log(a: Vector) -> Vector:
    """The natural logarithm."""


def random_lanes(key: Integer, column: Integer) -> Vector:
    """Uniform numbers, multiples of 2**-23 in [0, 1), by a hash of the key and each column from there on."""


def exchange_low(distance: Integer, a: Vector, b: Vector) -> Vector:
    """Row a of a square whose rows a and b are so far apart, with the blocks beside the diagonal exchanged."""


def exchange_high(distance: Integer, a: Vector, b: Vector) -> Vector:
    """Row b of that square."""


def where(condition: Mask, a: Vector, b: Vector) -> Vector:
    """Lanes of a where the condition holds, of b elsewhere."""


def lanes_below(n: Integer) -> Mask:
    """True in the first n lanes: of none if n is negative, of all from LANES on."""


def less(a: Vector, b: Vector) -> Mask:
    """a < b; false on NaN, as all comparisons."""


def less_equal(a: Vector, b: Vector) -> Mask:
    """a <= b."""


def greater(a: Vector, b: Vector) -> Mask:
    """a > b."""


def greater_equal(a: Vector, b: Vector) -> Mask:
    """a >= b."""


def equal(a: Vector, b: Vector) -> Mask:
    """a == b."""


# --- Numbers ---------------------------------------------------------------------------------------------------------


def to_double(value: Integer) -> Double:
    """The integer as a real of 64 bits."""


def power(x: Double, n: Double) -> Double:
    """x**n."""


def square_root(x: Double) -> Double:
    """The square root, rounded correctly."""


def is_finite(x: Double) -> bool:
    """Whether it is neither NaN nor infinite."""


def opaque(i: Integer) -> Integer:
    """The number, of which the compiler then knows nothing: else it keeps addresses for several steps of a loop."""


# --- Between threads, and with what is outside -----------------------------------------------------------------------


def atomic_add(address: Address, index: Integer, value: Integer) -> Integer:
    """Add to a word, in one order for all threads; returns what it held."""


def atomic_get(address: Address, index: Integer) -> Integer:
    """Read a word, and then see all that was written before it was put."""


def atomic_put(address: Address, index: Integer, value: Integer) -> None:
    """Write a word, after all that was written before."""


def spin_pause() -> None:
    """A moment's wait, for a loop that spins: the core does less meanwhile."""


def short_sleep() -> None:
    """A microsecond's sleep: another thread may have the processor."""


def sleep_while(address: Address, index: Integer, value: Integer) -> None:
    """Sleep while the lower half of a word is a value's, until it is woken; for a millisecond at most."""


def wake(address: Address, index: Integer) -> None:
    """Wake all threads that sleep at a word."""


def wall_clock() -> Integer:
    """Nanoseconds from some moment on; 0 where the system does not tell."""


def thread_clock() -> Integer:
    """Nanoseconds for which this thread has had a processor; 0 where the system does not tell."""


def flush_denormals() -> Integer:
    """Take denormals, which cost a hundred cycles each, for 0 from here on; returns the state before."""


def restore_denormals(state: Integer) -> None:
    """Go back to a state before flush_denormals."""


def call_function(
    address: Address,
    rows: Integer,
    columns: Integer,
    first: Address,
    first_stride: Integer,
    second: Address,
    second_stride: Integer,
    scores: Address,
    score_stride: Integer,
    target: Address,
) -> Integer:
    """Call a function of nine integers at an address, the user's own: see source/custom."""


OF_REALS = ("get", "put", "copy")
"""Words that are others for float32 and float64, though their types do not say so."""

ELEMENTARY = ("exp", "log")
"""Words that are written in elementary.py."""

DISTANCES = (1, 2, 4, 8)
"""Of rows that are exchanged."""
