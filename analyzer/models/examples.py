"""What a model learns from: features, classes, the costs behind the classes, and what a split must not part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows in one order; ``costs`` are the measured values, in the target's unit, that the classes were cut from."""

    features: pd.DataFrame
    classes: tuple[str, ...]
    costs: tuple[float, ...]
    groups: tuple[str, ...]

    def take(self, places: Sequence[int]) -> Examples:
        """The rows at these positions."""
        return Examples(
            self.features.iloc[list(places)],
            tuple(self.classes[place] for place in places),
            tuple(self.costs[place] for place in places),
            tuple(self.groups[place] for place in places),
        )

    @property
    def labels(self) -> npt.NDArray[np.object_]:
        """The classes as scikit-learn takes them."""
        return np.array(self.classes, dtype=object)
