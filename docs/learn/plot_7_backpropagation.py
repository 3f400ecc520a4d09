"""
7. Backpropagation
==================

One full round: forward, loss, backward by the chain rule, update. Two inputs, two hidden units, one output, neither
bias nor activation, and the loss :math:`L = (y' - y)^2 / 2`.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

x, y = np.array([[0.5, 1.0]]), np.array([0.8])


def network():
    """Make the network with the weights w1 to w6 = 1, 0.5, 0.5, 0.7, 1, 2."""
    layers = Dense(2, use_bias=False, name="hidden"), Dense(1, use_bias=False, name="output")
    model = fastnn.Sequential([fastnn.Input((2,)), *layers])
    model.compile(fastnn.optimizers.SGD(0.1), "half_squared_error", dtype="float64")
    model.set_weights([[[1.0, 0.5], [0.5, 0.7]], [[1.0], [2.0]]])
    return model


def in_order(kernels):
    """Write the six weights, neuron by neuron."""
    return ", ".join(f"{weight:.6g}" for kernel in kernels for weight in kernel.T.ravel())


# %%
# **Forward**, and the **loss**:

before, after = network(), network()
hidden, output = before.forward(x)
print(f"h1 = {hidden[0, 0]:g}, h2 = {hidden[0, 1]:g}, y' = {output[0, 0]:g}")
print(f"L = {before.evaluate(x, y, verbose=0):.3f}")

# %%
# **Backward**. The last layer first: dL/dw5 = (y' - y) h1. Then the one before: dL/dw1 = (y' - y) w5 x1.

print("dL/dw1 ... dL/dw6 =", in_order([layer["kernel"] for layer in before.gradients(x, y)]))

# %%
# **Update**: each weight loses 0.1 times its slope.

after.train_on_batch(x, y)
print("new w1 ... w6 =", in_order(after.get_weights()))
print(f"new y' = {after.predict(x)[0, 0]:.7f}, new loss {after.evaluate(x, y, verbose=0):.9f}")

# %%
# **Repeat**, until the loss no longer falls.

rounds = network()
history = rounds.fit(x, y, epochs=20, verbose=0)
figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
fastnn.plot.network(before, axes[0], x).set_title("Before: y' = 2.9, wanted 0.8")
fastnn.plot.network(after, axes[1], x).set_title("After one round: y' = 1.3478")
history.plot(axes[2]).set(title="The loss, round by round", xlabel="round", yscale="log")
plt.show()
