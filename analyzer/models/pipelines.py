"""Pipelines of scikit-learn: impute, encode, scale, select, estimate; and the space in which they are searched."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectPercentile, VarianceThreshold, f_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler
from sklearn.svm import SVC

from analyzer.models.cost_classifier import CostClassifier
from analyzer.models.examples import Examples
from analyzer.models.features import CATEGORIES, check_known_before
from analyzer.models.python_features import Features

if TYPE_CHECKING:
    import optuna

Choice = dict[str, Any]
"""One point of the search space: estimator, preprocessing, hyperparameters."""

ESTIMATORS = (
    "cost_trees",
    "logistic_regression",
    "random_forest",
    "gradient_boosting",
    "nearest_neighbours",
    "support_vectors",
)
DEFAULT: Choice = {
    "estimator": "cost_trees",
    "scaler": "standard",
    "select_percentile": 100,
    "min_samples_leaf": 2,
    "max_features": 0.3,
}
"""Tried first, so that a search of one trial is a sensible model."""


def frame_of(features: Sequence[Features]) -> pd.DataFrame:
    """Rows of features as a table; numbers as float with NaN where unknown, categories as text.

    Raises:
        LeakError: a column is not known before a run.
    """
    columns = list(features[0])
    check_known_before(columns)
    return pd.DataFrame(
        {
            name: pd.Series([row[name] for row in features], dtype=object)
            if name in CATEGORIES
            else np.array([np.nan if row[name] is None else row[name] for row in features], dtype=float)
            for name in columns
        }
    )


def suggest(trial: optuna.Trial) -> Choice:
    """A point of the search space."""
    estimator = trial.suggest_categorical("estimator", ESTIMATORS)
    choice: Choice = {
        "estimator": estimator,
        "scaler": trial.suggest_categorical("scaler", ("standard", "quantile")),
        "select_percentile": trial.suggest_categorical("select_percentile", (25, 50, 100)),
    }
    if estimator == "cost_trees":
        choice["min_samples_leaf"] = trial.suggest_int("cost_min_samples_leaf", 1, 6)
        choice["max_features"] = trial.suggest_float("cost_max_features", 0.1, 1.0)
    elif estimator == "logistic_regression":
        choice["c"] = trial.suggest_float("logistic_c", 1e-3, 1e2, log=True)
    elif estimator == "random_forest":
        choice["trees"] = 80
        choice["max_depth"] = trial.suggest_int("max_depth", 2, 12)
        choice["min_samples_leaf"] = trial.suggest_int("min_samples_leaf", 1, 8)
        choice["max_features"] = trial.suggest_float("max_features", 0.1, 1.0)
    elif estimator == "gradient_boosting":
        choice["learning_rate"] = trial.suggest_float("learning_rate", 0.02, 0.3, log=True)
        choice["iterations"] = trial.suggest_int("iterations", 20, 80)
        choice["leaves"] = trial.suggest_int("leaves", 3, 12)
        choice["l2"] = trial.suggest_float("l2", 1e-3, 10.0, log=True)
    elif estimator == "nearest_neighbours":
        choice["neighbours"] = trial.suggest_int("neighbours", 1, 15)
        choice["weights"] = trial.suggest_categorical("weights", ("uniform", "distance"))
    else:
        choice["c"] = trial.suggest_float("svm_c", 1e-2, 1e3, log=True)
        choice["gamma"] = trial.suggest_float("gamma", 1e-4, 1.0, log=True)
    return choice


def fitted(choice: Mapping[str, Any], examples: Examples, seed: int) -> Pipeline:
    """The pipeline of a choice, trained on all the rows given."""
    model = build(choice, list(examples.features.columns), seed)
    costs = {"estimate__costs": examples.costs} if choice["estimator"] == "cost_trees" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(examples.features, examples.labels, **costs)
    return model


def build(choice: Mapping[str, Any], columns: Sequence[str], seed: int) -> Pipeline:
    """The untrained pipeline of a choice."""
    numbers = [name for name in columns if name not in CATEGORIES]
    words = [name for name in columns if name in CATEGORIES]
    numeric = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
            ("scale", _scaler(choice["scaler"])),
        ]
    )
    return Pipeline(
        [
            (
                "columns",
                ColumnTransformer(
                    [
                        ("numbers", numeric, numbers),
                        ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
                    ]
                ),
            ),
            ("vary", VarianceThreshold()),
            ("select", SelectPercentile(f_classif, percentile=choice["select_percentile"])),
            ("estimate", _estimator(choice, seed)),
        ]
    )


def _scaler(name: str) -> Any:
    if name == "standard":
        return StandardScaler()
    return QuantileTransformer(n_quantiles=20, output_distribution="normal", random_state=0)


def _estimator(choice: Mapping[str, Any], seed: int) -> Any:
    match choice["estimator"]:
        case "cost_trees":
            return CostClassifier(
                max_features=choice["max_features"], min_samples_leaf=choice["min_samples_leaf"], seed=seed
            )
        case "logistic_regression":
            return LogisticRegression(C=choice["c"], class_weight="balanced", max_iter=2000)
        case "random_forest":
            return RandomForestClassifier(
                n_estimators=choice["trees"],
                max_depth=choice["max_depth"],
                min_samples_leaf=choice["min_samples_leaf"],
                max_features=choice["max_features"],
                class_weight="balanced",
                random_state=seed,
            )
        case "gradient_boosting":
            return HistGradientBoostingClassifier(
                learning_rate=choice["learning_rate"],
                max_iter=choice["iterations"],
                max_leaf_nodes=choice["leaves"],
                min_samples_leaf=5,
                l2_regularization=choice["l2"],
                early_stopping=False,
                random_state=seed,
            )
        case "nearest_neighbours":
            return KNeighborsClassifier(n_neighbors=choice["neighbours"], weights=choice["weights"], algorithm="brute")
        case _:
            machine = SVC(C=choice["c"], gamma=choice["gamma"], class_weight="balanced", random_state=seed)
            return CalibratedClassifierCV(machine, cv=3, ensemble=False)
