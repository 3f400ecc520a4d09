"""
A table as it is
================

Prices of invented flats: numbers, a category and a date, with a fifth of the sizes missing. ``TabularRegressor``
takes the data frame as it is.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from fastnn.sklearn import TabularRegressor

plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-colorblind"])
rng = np.random.default_rng(0)
rows = 1200
flats = pd.DataFrame(
    {
        "size": rng.gamma(8, 9, rows).round(),
        "district": rng.choice(["harbour", "old town", "hill", "station"], rows, p=[0.2, 0.2, 0.2, 0.4]),
        "floor": rng.integers(0, 8, rows),
        "built": pd.to_datetime("1900-01-01") + pd.to_timedelta(rng.integers(0, 44000, rows), "D"),
    }
)
level = flats["district"].map({"harbour": 6.0, "old town": 5.0, "hill": 4.2, "station": 3.0})
new = (flats["built"].dt.year - 1960).clip(0) / 60
price = flats["size"] * level * (1 + 0.4 * new) + 8 * flats["floor"] + rng.normal(0, 15, rows)
flats.loc[rng.random(rows) < 0.2, "size"] = np.nan
train, test, price_train, price_test = train_test_split(flats, price, random_state=0)
print(train.head(3).to_string(index=False))

network = TabularRegressor((64, 64), epochs=16, n_ensemble=2, random_state=0).fit(train, price_train)
predicted = network.predict(test)

# %%
# Rows without a size are guessed from the rest, and are farther from the line.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
missing = test["size"].isna()
for rows, label, colour, marker in ((~missing, "size known", "C0", "o"), (missing, "size missing", "C2", "^")):
    left.scatter(price_test[rows], predicted[rows], s=18, color=colour, marker=marker, label=label)
    error = np.abs(predicted - price_test)[rows]
    right.hist(error, np.arange(0, 200, 10), color=colour, alpha=0.7, label=f"{label}: median {error.median():.0f}")
left.axline((200, 200), slope=1, color="0.4", linestyle="--", linewidth=1)
left.set(
    title=f"$R^2$ {network.score(test, price_test):.2f}", xlabel="price (thousands)", ylabel="predicted (thousands)"
)
right.set(title="How far off", xlabel="error (thousands)", ylabel="flats")
for ax in (left, right):
    ax.legend(frameon=True)
plt.show()
