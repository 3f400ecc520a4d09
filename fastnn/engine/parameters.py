"""All that training changes, and the one door through which anything but the kernels writes it.

Matrices have transposed copies, for the way back, and whoever keeps a copy of the parameters must know when they have
changed.  Every method here that writes sees to both, by one count: the version.
"""

import ctypes
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .layout import Layout
from .memory import Array, address, aligned

Count = ctypes.c_int64
"""How many updates an engine has made, its ``value``: the kernels count, and the optimizer shows the same count."""

STATES = {"batch_normalization": ("moving_mean", "moving_variance"), "affine": ("center", "factor", "offset")}
"""Vectors that some kinds of layers have among the state, a value a unit."""


class Parameters:
    """The parameters of a network, the optimizer's slots and the moving statistics.

    Attributes
    ----------
    values : (parameter_count,) array
        The layers' matrices, one after another, as the layout says.
    transposed : array
        Transposed copies of matrices, brought in step when the kernels need them, see `lend` and `follow`.
    slots : (slots * parameter_count,) array
        The optimizer's state: vectors laid out like the parameters.
    slot_names : list of str
        What each of them is.
    state : array
        Moving statistics.
    count : Count
        Of updates that have been made, which the kernels raise in the same call as they make them.
    version : int
        Another one after every change but those within a run of the kernels.
    saved_count : int
        Values that `save` copies.
    """

    def __init__(self, layout: Layout, network: Any, dtype: npt.DTypeLike) -> None:
        self._layout, self._network, self._dtype = layout, network, dtype
        self.values = aligned(layout.parameter_count, dtype)
        self.transposed = aligned(layout.transposed_count, dtype)
        self.state = aligned(layout.state_count, dtype)
        self.version = self._followed = 0  # ``_followed``: the version that the transposed copies are of
        network.parameter_count, network.state_count = layout.parameter_count, layout.state_count
        network.parameters, network.transposed = address(self.values), address(self.transposed)
        network.state = address(self.state)
        self.forget_slots()

    # --- Reading ---

    def matrix(self, number: int, vector: Array | None = None) -> Array:
        """A layer's weights (inputs, units), with the bias as a last row; of a normalisation gamma and beta: a view.

        ``vector`` is laid out like the parameters: a gradient, a slot.  Who writes the parameters themselves through
        such a view must say so, see `mark_written`.
        """
        matrix: Array = self.matrices(number, (self.values if vector is None else vector)[np.newaxis])[0]
        return matrix

    def matrices(self, number: int, vectors: Array) -> Array:
        """A layer's matrices (vectors, rows, units) of vectors (vectors, parameter_count): a view."""
        record = self._layout.records[number]
        rows = vectors[:, record.weights : record.weights + record.height * record.stride]
        stored = rows.reshape(len(vectors), record.height, record.stride)[:, :, : record.width]
        return stored.transpose(0, 2, 1) if record.stored_transposed else stored

    def views(self, number: int, vector: Array | None = None) -> dict[str, Array]:
        """A layer's weights by name, in the order that `assign` wants: views that cannot be written.

        "kernel" (inputs, units) and "bias" (units,) of a dense layer, "gamma" and "beta" (units,) of another;
        "moving_mean" and "moving_variance" (units,) of a batch normalisation and the like, unless ``vector`` is given.
        """
        plan, matrix = self._layout.plans[number], self.matrix(number, vector)
        views = {}
        if plan.dense:
            views["kernel"] = matrix[: self._layout.records[number].inputs]
        elif plan.use_gamma:
            views["gamma"] = matrix[0]
        if plan.trained and plan.use_bias:
            views["bias" if plan.dense else "beta"] = matrix[-1]
        if vector is None:
            views |= self._state_of(number)
        for view in views.values():
            view.flags.writeable = False
        return views

    def _state_of(self, number: int) -> dict[str, Array]:
        """What a layer has beside parameters, by name: moving statistics, or fixed numbers."""
        names = STATES.get(self._layout.plans[number].kind, ())
        if not names:
            return {}
        record, count = self._layout.records[number], len(names)
        vectors = self.state[record.state :][: count * record.stride].reshape(count, -1)[:, : record.outputs]
        return dict(zip(names, vectors, strict=True))

    def slot_matrices(self) -> dict[tuple[int, int], Array]:
        """The optimizer's state, by the numbers of a slot and a layer: a matrix as a view that cannot be written."""
        found = {
            (slot, number): self.matrix(number, vector)
            for slot, vector in enumerate(self.slots.reshape(-1, len(self.values)))
            for number, plan in enumerate(self._layout.plans)
            if plan.trained
        }
        for view in found.values():
            view.flags.writeable = False
        return found

    def penalty(self) -> float:
        """The sum of the penalties on the weights."""
        total = 0.0
        for number, record in enumerate(self._layout.records):
            if record.penalized:
                matrix = self.matrix(number).astype(np.float64)
                for part, l1, l2 in (
                    (matrix[: record.bias], record.kernel_l1, record.kernel_l2),
                    (matrix[record.bias :], record.bias_l1, record.bias_l2),
                ):
                    total += l1 * np.abs(part).sum() + l2 * np.square(part).sum()
        return float(total)

    @property
    def finite(self) -> bool:
        """Whether no parameter, no slot and no moving statistic is NaN or infinite."""
        return all(np.isfinite(array).all() for array in (self.values, self.slots, self.state))

    def save(self, backup: Array) -> None:
        """Copy all that training changes into a vector of ``saved_count`` values."""
        np.concatenate([self.values, self.slots, self.state], out=backup)

    # --- Writing ---

    def assign(self, number: int, arrays: Sequence[Array]) -> None:
        """Set a layer's weights, one array for each of its `views`."""
        record, matrix, rest = self._layout.records[number], self.matrix(number), list(arrays)
        for rows in (slice(0, record.bias), slice(record.bias, None)):
            if len(matrix[rows]):
                matrix[rows] = rest.pop(0)
        for view, array in zip(self._state_of(number).values(), rest, strict=True):
            view[:] = array
        self.mark_written()

    def set_values(self, values: Array) -> None:
        """Set all parameters: a vector laid out like them."""
        self.version += 1
        self.values[:] = values

    def take_average(self, slot: int, but: Collection[int]) -> None:
        """Set the parameters to their moving average, a slot; but not those of some layers, which it has not followed.

        Theirs it is from then on.
        """
        self.settle_average(slot, but)
        self.set_values(self.slots[slot * len(self.values) :][: len(self.values)])

    def settle_average(self, slot: int, numbers: Collection[int]) -> None:
        """Set the moving average of some layers' parameters to what these are."""
        for number in numbers if slot >= 0 else ():
            average = self.slots[slot * len(self.values) :][: len(self.values)]
            self.matrix(number, average)[...] = self.matrix(number)

    def set_slots(self, matrices: Mapping[tuple[int, int], Array]) -> None:
        """Set the optimizer's state, given as `slot_matrices` returns it."""
        for (slot, number), array in matrices.items():
            self.matrix(number, self.slots[slot * len(self.values) :][: len(self.values)])[...] = array
        self.mark_written()

    def restore(self, backup: Array, updates: int) -> None:
        """Go back to what `save` has copied, and to the count of updates of then."""
        values, slots, state = np.split(backup, np.cumsum([len(self.values), len(self.slots)]))
        self._replace(values, slots, state, updates)

    def all_or_nothing(self, write: Callable[[], None]) -> None:
        """Have a function write all this, and undo what it has written where it raises, or Ctrl-C cuts it short."""
        before = self.values.copy(), self.slots.copy(), self.state.copy(), self.count.value
        try:
            write()
        except BaseException:
            self._replace(*before)
            raise

    def _replace(self, values: Array, slots: Array, state: Array, updates: int) -> None:
        """Replace all that training changes: without a call in between, so that Ctrl-C comes before or after."""
        count = self.count
        self.version += 1
        self.values[:] = values
        self.slots[:] = slots
        self.state[:] = state
        count.value = updates

    def hold_slots(self, names: list[str], initial: Callable[[str], Array | float]) -> None:
        """Have the slots of these names, in this order; those that there are keep what they hold."""
        if self.slot_names != names:
            count, names_before, before = len(self.values), self.slot_names, self.slots
            slots = aligned(len(names) * count, self._dtype)
            for name, vector in zip(names, slots.reshape(-1, count), strict=True):
                if name in names_before:
                    vector[:] = before[names_before.index(name) * count :][:count]
                else:
                    vector[:] = initial(name)
            self._set_slots(names, slots)

    def forget_slots(self) -> None:
        """Have no slots, and a new count of updates, for who has the old one keeps it."""
        count = Count()
        self.count, self._network.updates = count, ctypes.addressof(count)
        self._set_slots([], aligned(0, self._dtype))

    def _set_slots(self, names: list[str], slots: Array) -> None:
        network, place, count = self._network, address(slots), len(names)
        saved = len(self.values) + len(slots) + len(self.state)
        self.slot_names, self.slots, self.saved_count = names, slots, saved  # no call from here on: all or nothing
        network.slots, network.slot_count = place, count
        self.version += 1

    def mark_written(self) -> None:
        """Say that somebody may have written through a view of `matrix`.  All that is written here says so itself."""
        self.version += 1

    # --- What the kernels read and write ---

    def follow(self) -> None:
        """Bring the transposed copies in step with the matrices."""
        if self._followed != self.version:
            for number, record in enumerate(self._layout.records):
                if record.transposed >= 0:
                    copy = self.transposed[record.transposed :][: record.outputs * record.transposed_stride]
                    copy = copy.reshape(record.outputs, -1)
                    copy[:, : record.inputs] = self.matrix(number)[: record.inputs].T
            self._followed = self.version

    def lend(self, keeps_transposed: bool, changes: bool = True) -> None:
        """Have the kernels read them for a gradient, and change them; ``keeps_transposed``: with their copies.

        Until `came_along` is called, the copies count as out of step.
        """
        self._network.keeps_transposed = keeps_transposed
        if keeps_transposed:
            self.follow()
        if changes:
            self.version += 1

    def came_along(self) -> None:
        """Note that the kernels have kept the copies in step with what they changed."""
        if self._network.keeps_transposed:
            self._followed = self.version
