"""Every instruction set that this processor offers computes the same network."""

import os
import subprocess
import sys

import naive
import pytest

from fastnn.kernels import machine

CODE = """
import naive, numpy as np
import fastnn
from fastnn.layers import Dense, Input

def output(backend, dtype, units):
    layers = [Input((7,)), Dense(5, "tanh"), Dense(units)]
    model = fastnn.Sequential(layers, seed=0)
    model.compile("sgd", "mse", backend=backend, dtype=dtype)
    model.fit(*naive.random_data("mse", 20, 7, units), epochs=1, verbose=0)
    return model.predict(naive.random_data("mse", 20, 7, units)[0])

for dtype in ("float32", "float64"):
    for units in range(1, 7):
        np.testing.assert_allclose(output("cython", dtype, units), output("numpy", dtype, units), rtol=1e-4, atol=1e-5)
"""


@pytest.mark.parametrize("name", machine.supported())
def test_layers_of_few_units_on_vectors_of_any_width(extension, name):
    folder = os.path.dirname(naive.__file__)
    environment = {**os.environ, "FASTNN_ISA": name, "PYTHONPATH": folder}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
