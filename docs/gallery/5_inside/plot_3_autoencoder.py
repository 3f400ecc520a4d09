"""
Digits on a map
===============

An autoencoder squeezes 64 pixels through two units and has to draw the digit again. What the two units say is a place
on a map, where like digits lie together. It was never told which digit is which.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

import fastnn
from fastnn.layers import Dense

x, y = load_digits(return_X_y=True)
x = x / 16
model = fastnn.Sequential(
    [
        Dense(128, "elu"),
        Dense(32, "elu"),
        Dense(2, "tanh", name="map"),
        Dense(32, "elu"),
        Dense(128, "elu"),
        Dense(64, "sigmoid"),
    ],
    seed=1,
)
model.compile(fastnn.optimizers.Adam(0.002), "mse")
model.fit(x, x, epochs=100, batch_size=64, verbose=0)

# %%
# ``forward`` returns what each layer makes of the rows; the third is the map.

outputs = model.forward(x)
places, drawn = outputs[2], outputs[-1]
figure, axes = plt.subplots(1, 2, figsize=(11, 4.8), width_ratios=(1.5, 1), layout="constrained")
dots = axes[0].scatter(*places.T, c=y, cmap="tab10", s=14, vmin=-0.5, vmax=9.5)
figure.colorbar(dots, ax=axes[0], ticks=range(10), label="digit")
axes[0].set(title="Two numbers a digit", xlabel="first unit", ylabel="second unit")
for digit in range(10):
    text = places[y == digit]
    axes[0].text(
        *sorted(text, key=lambda p: abs(p - text.mean(axis=0)).sum())[0], str(digit), fontsize=15, weight="bold"
    )
axes[1].axis("off")
axes[1].set_title("Pixels (left), drawn again (right)")
for number in range(10):
    for side, picture in enumerate((x[number], drawn[number])):
        small = axes[1].inset_axes((number % 2 * 0.52 + side * 0.23, 0.8 - number // 2 * 0.2, 0.22, 0.19))
        small.imshow(picture.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        small.set(xticks=[], yticks=[])
plt.show()
