"""
6. Gradient descent
===================

The gradient points uphill. A step against it goes downhill: :math:`\\theta_{t+1} = \\theta_t - a \\, dL/d\\theta`, with
the learning rate a. Where it leads depends on the start and on the rate.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastnn

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])

# %%
# The saddle :math:`z = y^2 - x^2` has the gradient (-2x, 2y). A path comes down in y and runs away in x. One that
# starts on the ridge ends at the saddle point, where the slope is 0.


def slope(p):
    """Return the saddle's gradient."""
    return np.array([-2 * p[0], 2 * p[1]])


away = fastnn.gradient_descent(slope, [0.1, 1.0], learning_rate=0.1, steps=12)
ridge = fastnn.gradient_descent(slope, [0.0, 1.0], learning_rate=0.1, steps=200)
print(f"from (0.1, 1): ({away[-1, 0]:.3f}, {away[-1, 1]:.3f});  from (0, 1): ({ridge[-1, 0]:.3f}, {ridge[-1, 1]:.3f})")

# %%
# A curve with a flat place: :math:`x^4 - 3x^3 + 2` is least at 9/4, but its slope is 0 at 0 too.

curve = fastnn.gradient_descent(lambda x: 4 * x**3 - 9 * x**2, [4.0], learning_rate=0.005, steps=1000)
flat = fastnn.gradient_descent(lambda x: 4 * x**3 - 9 * x**2, [0.0], learning_rate=0.005, steps=1000)
print(f"from 4: {curve[-1, 0]:.4f};  from 0: {flat[-1, 0]:.4f}")

# %%
# On :math:`x^2` from 1, too small a rate hardly moves, and too large a one jumps to and fro, or runs away.

for rate in (0.001, 0.1, 0.9, 1.0, 1.1):
    jumps = fastnn.gradient_descent(lambda x: 2 * x, [1.0], learning_rate=rate, steps=20)
    print(f"rate {rate:5}: {jumps[1, 0]:7.3f} after 1 step, {jumps[-1, 0]:8.4f} after 20")

figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
fastnn.plot.descent(away, lambda p: p[1] ** 2 - p[0] ** 2, axes[0])
axes[0].set(title="The saddle $y^2 - x^2$", xlabel="x", ylabel="y")
fastnn.plot.descent(curve[:60], lambda x: float(x[0] ** 4 - 3 * x[0] ** 3 + 2), axes[1])
axes[1].set_title("$x^4 - 3x^3 + 2$, rate 0.005")
jumps = fastnn.gradient_descent(lambda x: 2 * x, [1.0], learning_rate=0.9, steps=20)
fastnn.plot.descent(jumps, lambda x: float(x[0] ** 2), axes[2])
axes[2].set_title("$x^2$, rate 0.9: to and fro")
plt.show()
