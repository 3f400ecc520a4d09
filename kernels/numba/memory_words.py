"""Words of memory in LLVM: each method emits the word of its name."""

from typing import Any

from llvmlite import ir

from ..records import KINDS
from .lanes import DOUBLE, INDEX, INTEGER, REALS, Lanes, Lower, call, pointer


class MemoryWords(Lanes):
    """Vectors, reals, and numbers of 64 bits at an address; cache lines."""

    def load(self, builder: Any, address: Any, index: Any) -> Any:
        return self._load(builder, address, index, self.wide)

    def load_half(self, builder: Any, address: Any, index: Any) -> Any:
        return self._load(builder, address, index, self.half)

    def _load(self, builder: Any, address: Any, index: Any, kind: ir.Type) -> Any:
        at = builder.bitcast(pointer(builder, address, index, self.real), kind.as_pointer())
        return builder.load(at, align=self.size)

    def store(self, builder: Any, address: Any, index: Any, value: Any) -> None:
        at = builder.bitcast(pointer(builder, address, index, self.real), self.wide.as_pointer())
        builder.store(value, at, align=self.size)

    def store_half(self, builder: Any, address: Any, index: Any, value: Any) -> None:
        zeros = ir.Constant(self.half, [ir.Constant(self.real, 0.0)] * (self.lanes // 2))
        self.store(builder, address, index, self.shuffle(builder, value, list(range(self.lanes)), zeros))

    def broadcast(self, builder: Any, address: Any, index: Any) -> Any:
        return self.fill(builder, builder.load(pointer(builder, address, index, self.real), align=self.size))

    def get(self, builder: Any, address: Any, index: Any) -> Any:
        return self.widen(builder, builder.load(pointer(builder, address, index, self.real)))

    def put(self, builder: Any, address: Any, index: Any, value: Any) -> None:
        self.write(builder, address, index, self.narrow(builder, value))

    def write(self, builder: Any, address: Any, index: Any, value: Any) -> None:
        builder.store(value, pointer(builder, address, index, self.real))

    def copy(self, builder: Any, source: Any, index: Any, target: Any, place: Any) -> None:
        self.write(builder, target, place, builder.load(pointer(builder, source, index, self.real)))

    def get_integer(self, builder: Any, address: Any, index: Any) -> Any:
        return builder.load(pointer(builder, address, index, INTEGER))

    def get_index(self, builder: Any, address: Any, index: Any) -> Any:
        return builder.sext(builder.load(pointer(builder, address, index, ir.IntType(32))), INTEGER)

    def get_double(self, builder: Any, address: Any, index: Any) -> Any:
        return builder.load(pointer(builder, address, index, DOUBLE))

    def put_integer(self, builder: Any, address: Any, index: Any, value: Any) -> None:
        builder.store(value, pointer(builder, address, index, INTEGER))

    def put_double(self, builder: Any, address: Any, index: Any, value: Any) -> None:
        builder.store(value, pointer(builder, address, index, DOUBLE))

    def prefetch(self, builder: Any, address: Any) -> None:
        self._prefetch(builder, address, 0)

    def prefetch_write(self, builder: Any, address: Any) -> None:
        self._prefetch(builder, address, 1)

    def _prefetch(self, builder: Any, address: Any, to_write: int) -> None:
        flags = [INDEX(flag) for flag in (to_write, 3, 1)]  # into the first level, data
        at = builder.inttoptr(address, ir.IntType(8).as_pointer())
        call(builder, "llvm.prefetch.p0", ir.VoidType(), at, *flags)


def reading_words(lanes: Lanes) -> dict[str, Lower]:
    """What reads one value of a kind of data as a real or an integer, or as many as a vector has lanes as reals."""
    words = {}
    for kind in KINDS:
        words[f"read_{kind}"] = _reader(lanes, kind, 1)
        words[f"read_vector_{kind}"] = _reader(lanes, kind, lanes.lanes)
        words[f"read_integer_{kind}"] = _integer_reader(kind)
    return words


def _reader(lanes: Lanes, kind: str, count: int) -> Lower:
    stored, real = ((ir.VectorType(t, count) if count > 1 else t) for t in (_stored(kind), lanes.real))

    def lower(builder: Any, address: Any) -> Any:
        value = builder.load(builder.inttoptr(address, stored.as_pointer()), align=1)
        if kind in REALS:
            if stored == real:
                return value
            return (builder.fptrunc if lanes.single else builder.fpext)(value, real)
        return (builder.uitofp if kind.startswith("u") else builder.sitofp)(value, real)

    return lower


def _integer_reader(kind: str) -> Lower:
    def lower(builder: Any, address: Any) -> Any:
        value = builder.load(builder.inttoptr(address, _stored(kind).as_pointer()), align=1)
        if kind in REALS:
            return builder.fptosi(value, INTEGER)
        if value.type == INTEGER:
            return value
        return (builder.zext if kind.startswith("u") else builder.sext)(value, INTEGER)

    return lower


def _stored(kind: str) -> ir.Type:
    return REALS[kind] if kind in REALS else ir.IntType(int(kind.removeprefix("u").removeprefix("int")))
