"""What is printed of objects: the call that makes them, without what is usual."""

import pytest

from fastnn import activations, callbacks, initializers, layers, losses, regularizers, schedules
from fastnn.callbacks import History

REPRS = {
    "Dense(8)": lambda: layers.Dense(8),
    "Dense(8, activation='relu')": lambda: layers.Dense(8, "relu"),
    "Dense(8, kernel_regularizer=L2(l2=0.5), name='first')": lambda: layers.Dense(
        8, kernel_regularizer=regularizers.L2(0.5), name="first"
    ),
    "Dense(2, kernel_initializer=HeNormal())": lambda: layers.Dense(2, kernel_initializer="he_normal"),
    "Dropout(0.5)": lambda: layers.Dropout(0.5),
    "BatchNormalization(momentum=0.9)": lambda: layers.BatchNormalization(momentum=0.9),
    "Activation('tanh')": lambda: layers.Activation("tanh"),
    "Input((4,))": lambda: layers.Input((4,)),
    "Huber(delta=2.0)": lambda: losses.Huber(2.0),
    "Quantile(quantiles=[0.1, 0.9])": lambda: losses.Quantile([0.1, 0.9]),
    "GlorotUniform(seed=3)": lambda: initializers.GlorotUniform(seed=3),
    "ELU(alpha=0.5)": lambda: activations.ELU(0.5),
    "OneCycle(0.1, 100)": lambda: schedules.OneCycle(0.1, 100),
    "History(0 epochs)": History,
}


@pytest.mark.parametrize("text", REPRS)
def test_an_object_is_printed_as_the_call_that_makes_it(text):
    thing = REPRS[text]()
    assert repr(thing) == text
    places = {**vars(layers), **vars(losses), **vars(initializers), **vars(regularizers), **vars(schedules)}
    places |= {"ELU": activations.ELU}
    if "History" not in text:
        assert repr(eval(text, places)) == text


def test_names_that_a_model_chose_are_not_printed(network):
    model = network([2, 3, 1], ["relu", "linear"])
    assert [layer.name for layer in model.layers] == ["dense", "dense_1"]
    assert [repr(layer) for layer in model.layers] == ["Dense(3, activation='relu')", "Dense(1)"]


def test_a_callback_is_printed_with_its_arguments():
    assert repr(callbacks.EarlyStopping(patience=3)).startswith("EarlyStopping(monitor='val_loss', ")
    assert repr(callbacks.TerminateOnNaN()) == "TerminateOnNaN()"


def test_a_history_is_printed_and_shown_in_notebooks():
    history = History()
    history.on_epoch_end(0, {"loss": 2.0, "val_<b>": 0.25})
    history.on_epoch_end(1, {"loss": 0.5, "val_<b>": 0.75})
    assert repr(history) == "History(2 epochs: loss 0.5, val_<b> 0.75)"
    page = history._repr_html_()
    assert "<caption>2 epochs</caption>" in page
    assert "val_&lt;b&gt;" in page
    assert page.count("<tr>") == 3
    for value in ("2", "0.5", "0.25", "0.75"):
        assert f'right">{value}</td>' in page
