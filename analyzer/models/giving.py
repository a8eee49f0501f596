"""What a trained pipeline says of rows: one rule for held-out scores and for the predictions that are served."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from sklearn.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Given:
    """The class of a row and the chance of every class.

    The class is the pipeline's own choice. With a classifier that learns from costs that need not be the likeliest one:
    the trees' mean may fall between the classes that most of them fall into.
    """

    label: str
    chances: dict[str, float]

    @property
    def probability(self) -> float:
        """Chance of the class that was given."""
        return self.chances[self.label]


def given(pipeline: Pipeline, features: pd.DataFrame) -> list[Given]:
    """One for each row."""
    labels = [str(label) for label in pipeline.classes_]
    return [
        Given(str(label), {name: float(chance) for name, chance in zip(labels, chances, strict=True)})
        for label, chances in zip(pipeline.predict(features), pipeline.predict_proba(features), strict=True)
    ]
