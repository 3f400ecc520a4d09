"""Batches by number, as keras.utils.PyDataset has them: shuffled between epochs, and told of their ends."""

import numpy as np
import pytest

import fastnn


class Batches(fastnn.utils.PyDataset):
    """Six batches; it writes down what is asked of it."""

    def __init__(self, count=6):
        super().__init__(workers=2)
        self.count, self.asked = count, []
        self.x = np.random.default_rng(0).normal(size=(count, 4, 3))
        self.y = self.x.sum(axis=2)[..., None]

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        self.asked.append(number)
        return self.x[number], self.y[number]

    def on_epoch_end(self):
        self.asked.append("end")


class KerasLike:
    """Not derived from ours: as an object of Keras's own class."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, number):
        return self.batches[number]

    def on_epoch_end(self):
        self.batches.on_epoch_end()


def made():
    model = fastnn.Sequential([fastnn.layers.Input((3,)), fastnn.layers.Dense(1)], seed=1)
    model.compile(fastnn.optimizers.SGD(0.01), "mse", backend="numpy")
    return model


def epochs_of(asked):
    """The batches of each epoch; the first that was asked for told the width alone."""
    found = [[]]
    for item in asked[1:]:
        if item == "end":
            found.append([])
        else:
            found[-1].append(item)
    assert found.pop() == []
    return found


@pytest.mark.parametrize("kind", [lambda batches: batches, KerasLike])
def test_fit_takes_the_batches_in_another_order_each_epoch(kind):
    batches = Batches()
    made().fit(kind(batches), epochs=4, verbose=0)
    orders = epochs_of(batches.asked)
    assert [sorted(order) for order in orders] == [list(range(6))] * 4
    assert len({tuple(order) for order in orders}) > 1
    again = Batches()
    made().fit(kind(again), epochs=4, verbose=0)
    assert again.asked == batches.asked  # the model's seed decides


@pytest.mark.parametrize("batch_size", [None, 3])
def test_without_shuffling_they_come_in_order(batch_size):
    batches = Batches()
    made().fit(batches, epochs=2, shuffle=False, batch_size=batch_size, verbose=0)
    assert epochs_of(batches.asked) == [list(range(6))] * 2


@pytest.mark.parametrize("method", ["evaluate", "predict"])
def test_they_are_not_shuffled_where_nothing_is_trained(method):
    batches = Batches()
    getattr(made(), method)(batches, verbose=0)
    assert epochs_of(batches.asked) == [list(range(6))]


def test_steps_are_those_of_the_batches_in_their_order():
    batches = Batches()
    model = made()
    model.fit(batches, epochs=2, verbose=0)
    same = made()
    for number in [number for order in epochs_of(batches.asked) for number in order]:
        same.train_on_batch(*(part[number] for part in (batches.x, batches.y)))
    for got, wanted in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_a_dataset_without_batches_or_without_its_methods_is_refused():
    with pytest.raises(ValueError, match="a Batches, yielded no batch"):
        made().fit(Batches(0), verbose=0)
    with pytest.raises(NotImplementedError, match="PyDataset has no __len__"):
        made().fit(fastnn.utils.PyDataset(), verbose=0)


def test_to_categorical_is_keras_s():
    to_categorical = fastnn.utils.to_categorical
    np.testing.assert_array_equal(to_categorical([0, 2]), [[1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(to_categorical([[1], [0]], 3), [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(to_categorical(np.array([1.0, 0.0], "float32")), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(to_categorical([True, False]), [[0, 1], [1, 0]])
    assert to_categorical(np.zeros((2, 5), int), 4).shape == (2, 5, 4)
    assert to_categorical(1, 3).tolist() == [0, 1, 0]
    assert to_categorical([], 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("x", "num_classes", "message"),
    [
        ([0, -1], None, "x got -1 among"),
        ([0.5, 1], None, r"x got 0\.5 among"),
        ([0, 3], 3, "x got 3 among its class numbers; wants whole numbers from 0 to 2"),
        ([np.nan, 1.0], 3, "x got nan among"),
        (["a"], None, "x got <U1 values"),
        ([], None, "x got no class number"),
        ([1], 0, "num_classes got 0"),
    ],
)
def test_to_categorical_refuses_what_names_no_class(x, num_classes, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fastnn.utils.to_categorical(x, num_classes)
