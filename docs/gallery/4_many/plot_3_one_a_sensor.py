"""
A network for each sensor
=========================

A hundred sensors, each with a curve of its own. Each has its own network, trained on its own rows, in one call:
``fit`` takes x as (members, rows, inputs).
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
rng = np.random.default_rng(1)
sensors, rows = 100, 48
hour = np.sort(rng.uniform(0, 24, (sensors, rows, 1)), axis=1)
phase, height = rng.uniform(0, 24, (sensors, 1, 1)), rng.uniform(2, 8, (sensors, 1, 1))
reading = 15 + height * np.cos((hour - phase) * np.pi / 12) + rng.normal(0, 0.8, hour.shape)

model = fastnn.Sequential([fastnn.Input((2,)), Dense(12, "tanh"), Dense(1)])
ensemble = fastnn.Ensemble(model, members=sensors, seed=0)
ensemble.compile("adam", "mse", learning_rate=0.02)


def on_the_clock(hour):
    """Turn an hour into a place on the clock's face, so that 24 is where 0 is."""
    return np.concatenate([np.cos(hour * np.pi / 12), np.sin(hour * np.pi / 12)], axis=-1)


ensemble.fit(on_the_clock(hour), (reading - 15) / 5, epochs=200, batch_size=16)
fine = np.linspace(0, 24, 97)[:, np.newaxis]
curves = 15 + 5 * ensemble.predict(on_the_clock(fine))[:, :, 0]

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
for sensor, marker in zip(range(3), "os^", strict=True):
    left.plot(hour[sensor], reading[sensor], marker, color=f"C{sensor}", markersize=4, alpha=0.7)
    left.plot(fine, curves[sensor], color=f"C{sensor}", linewidth=2, label=f"sensor {sensor + 1}")
left.set(title="Three of a hundred", xlabel="hour", ylabel="temperature (°C)", xlim=(0, 24))
left.legend(frameon=True)
order = np.argsort(curves.argmax(axis=1))
image = right.imshow(curves[order], aspect="auto", extent=(0, 24, sensors, 0), cmap="cividis")
right.set(title="All, sorted by their warmest hour", xlabel="hour", ylabel="sensor")
right.grid(False)
figure.colorbar(image, ax=right, label="temperature (°C)")
plt.show()
