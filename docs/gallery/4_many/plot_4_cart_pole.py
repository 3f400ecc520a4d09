"""
A population learns to balance a pole
=====================================

Sixteen networks push a cart to and fro so that its pole stays up, each with a learning rate of its own. Each learns
from the best of its own attempts (the cross-entropy method). Now and then the worst ones are replaced by copies of the
best: population-based training.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn
from fastnn.layers import Dense

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
MEMBERS, ATTEMPTS, STEPS, ELITE = 16, 16, 200, 4
rng = np.random.default_rng(0)


def moved(state, push):
    """Return the state of carts and poles 0.02 s later: place, speed, angle, turn; (..., 4)."""
    _, speed, angle, turn = np.moveaxis(state, -1, 0)
    force = (10 * push + 0.05 * turn**2 * np.sin(angle)) / 1.1
    bend = (9.8 * np.sin(angle) - np.cos(angle) * force) / (0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1))
    slide = force - 0.05 * bend * np.cos(angle) / 1.1
    return state + 0.02 * np.stack([speed, slide, turn, bend], axis=-1)


# %%
# An attempt ends when the pole leans by more than 12 degrees, or the cart is 2.4 m away. All carts of all members move
# at once; ``predictor`` answers for each member's own rows.

scale = np.array([1.0, 1.0, 0.1, 1.0])


def attempts(policy):
    """Play, and return the states (steps, members, attempts, 4), pushes to the right or not, and who was still up."""
    state = rng.uniform(-0.05, 0.05, (MEMBERS, ATTEMPTS, 4))
    up = np.ones(state.shape[:2], bool)
    states, pushes, ups = [], [], []
    for _ in range(STEPS):
        right = rng.random(up.shape) < policy(state / scale)
        for memory, value in ((states, state / scale), (pushes, right), (ups, up)):
            memory.append(value)
        state = np.where(up[..., np.newaxis], moved(state, 2.0 * right - 1), state)
        up = up & (np.abs(state[..., 0]) < 2.4) & (np.abs(state[..., 2]) < np.radians(12))
    return np.array(states), np.array(pushes), np.array(ups)


rates = np.geomspace(0.0003, 0.1, MEMBERS)
model = fastnn.Sequential([fastnn.Input((4,)), Dense(16, "tanh"), Dense(1, "sigmoid")])
population = fastnn.Ensemble(model, MEMBERS, seed=0)
population.compile("adam", "binary_crossentropy", learning_rate=rates)
policies = [member.predictor(ATTEMPTS) for member in population]

rounds, copied = [], []
for number in range(24):
    states, pushes, ups = attempts(lambda state: np.stack([p(s)[:, 0] for p, s in zip(policies, state, strict=True)]))
    lengths = ups.sum(axis=0)  # (members, attempts)
    rounds.append(lengths.mean(axis=1))
    elite = np.argsort(lengths, axis=1)[:, -ELITE:]
    chosen = [array[:, np.arange(MEMBERS)[:, np.newaxis], elite] for array in (states, pushes, ups)]
    x, y, weight = (np.moveaxis(array, 0, 2).reshape(MEMBERS, ELITE * STEPS, -1) for array in chosen)
    for _ in range(20):
        population.train_on_batch(x, y.astype(float), weight[..., 0].astype(float))
    if number % 6 == 5:
        order = np.argsort(rounds[-1])
        for best, worst in zip(order[-4:], order[:4], strict=True):
            population.copy(int(best), int(worst))
            copied.append((number + 1, rounds[-1][worst]))

# %%
# Triangles mark the members that became copies of better ones.

figure, ax = plt.subplots(figsize=(9, 4.6), layout="constrained")
colours = plt.get_cmap("cividis")(np.linspace(0, 1, MEMBERS))
for curve, colour in zip(np.array(rounds).T, colours, strict=True):
    ax.plot(range(1, 25), curve * 0.02, color=colour, linewidth=1, alpha=0.8)
ax.plot(range(1, 25), np.median(rounds, axis=1) * 0.02, color="C2", linewidth=3, label="median member")
ax.plot([at for at, _ in copied], [value * 0.02 for _, value in copied], "v", color="0.2", label="replaced by a copy")
ax.set(title="How long the pole stays up", xlabel="round of 16 attempts", ylabel="seconds, of 4 at most")
ax.legend(frameon=True, loc="lower right")
plt.show()
