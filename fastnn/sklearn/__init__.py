"""Estimators for scikit-learn, with its names and meanings, on the compiled engine.

>>> import numpy as np
>>> from fastnn.sklearn import MLPClassifier
>>> x, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array(["low", "low", "high", "high"])
>>> MLPClassifier(solver="lbfgs", random_state=0).fit(x, y).predict([[0.5], [2.5]])
array(['low', 'high'], dtype='<U4')
"""

from fastnn.extras import require
from fastnn.names import publish

require("sklearn", "sklearn")

from .classifier import MLPClassifier  # noqa: E402
from .exchange import from_sklearn, to_sklearn  # noqa: E402
from .linear import LinearRegression, LogisticRegression  # noqa: E402
from .regressor import MLPRegressor  # noqa: E402
from .searches import GridSearchCV, RandomizedSearchCV, cross_val_predict, cross_val_score, cross_validate  # noqa: E402
from .tabular import TabularClassifier, TabularRegressor  # noqa: E402

__all__ = ["GridSearchCV", "LinearRegression", "LogisticRegression", "MLPClassifier", "MLPRegressor"]
__all__ += ["RandomizedSearchCV", "TabularClassifier", "TabularRegressor", "cross_val_predict", "cross_val_score"]
__all__ += ["cross_validate", "from_sklearn", "to_sklearn"]

publish(__name__)
