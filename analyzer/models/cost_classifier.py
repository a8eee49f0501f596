"""A classifier of ordered classes that learns from the costs behind them: trees regress, bounds cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import ExtraTreesRegressor

from analyzer.models.labels import LABELS


class CostClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Randomised trees on the logarithm of a cost. The chance of a class is the share of trees that fall into it.

    A class says less than the cost that it was cut from: how far a snippet is above a bound helps to place the next.

    Args:
        trees: how many.
        max_features: share of the features that a split looks at.
        min_samples_leaf: rows that a leaf holds at least.
        seed: of the trees.
    """

    def __init__(self, trees: int = 200, max_features: float = 0.3, min_samples_leaf: int = 2, seed: int = 0) -> None:
        self.trees = trees
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.seed = seed

    def fit(self, rows: Any, classes: Sequence[str], costs: Sequence[float] | None = None) -> CostClassifier:
        """Learn.

        Args:
            rows: features, rows × columns.
            classes: of :data:`LABELS`.
            costs: what the classes were cut from; what is not above 0 counts as half the smallest that is.

        Raises:
            ValueError: there are no costs.
        """
        if costs is None:
            raise ValueError("a cost classifier learns from costs")
        values, given = np.asarray(costs, dtype=float), np.asarray(classes, dtype=object)
        logs = (
            np.log(np.maximum(values, values.min(initial=np.inf, where=values > 0) / 2))
            if (values > 0).any()
            else values
        )
        self.classes_ = np.array([label for label in LABELS if label in set(given)], dtype=object)
        self.cuts_ = np.array(
            [
                (logs[given == lower].max() + logs[given == upper].min()) / 2
                for lower, upper in zip(self.classes_, self.classes_[1:], strict=False)
            ]
        )
        self.forest_ = ExtraTreesRegressor(
            n_estimators=self.trees,
            max_features=self.max_features,
            min_samples_leaf=self.min_samples_leaf,
            random_state=self.seed,
        ).fit(rows, logs)
        return self

    def predict_proba(self, rows: Any) -> Any:
        """Share of the trees that fall into each of ``classes_``: rows × classes."""
        places = np.stack([np.searchsorted(self.cuts_, tree.predict(rows)) for tree in self.forest_.estimators_])
        return np.stack([(places == place).mean(axis=0) for place in range(len(self.classes_))], axis=1)

    def predict(self, rows: Any) -> Any:
        """The class into which the trees' mean falls."""
        return self.classes_[np.searchsorted(self.cuts_, self.forest_.predict(rows))]
