"""Trained pipelines as files: written by skops, named with their SHA-256, and loaded only if it and all types fit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import skops.io
from sklearn.pipeline import Pipeline
from skops.io.exceptions import UntrustedTypesFoundException

from snipbench.errors import SnipbenchError

TRUSTED = (
    "analyzer.models.cost_classifier.CostClassifier",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.tree._tree.Tree",
)
"""Types beyond those that skops trusts by itself; they occur in our pipelines, and none runs code of the file."""


class ModelRefused(SnipbenchError):
    """A model's file is not the one that was trained, or holds something that a pipeline of ours does not."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored model. ``path`` is relative to the folder that it was saved under."""

    path: str
    sha256: str


def save(model: Pipeline, folder: Path, model_id: str) -> Artifact:
    """Write ``folder/MODEL_ID.skops``; a former one of that name is replaced as a whole."""
    folder.mkdir(parents=True, exist_ok=True)
    data = skops.io.dumps(model)
    path = folder / f"{model_id}.skops"
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(path)
    return Artifact(path.name, hashlib.sha256(data).hexdigest())


def load(folder: Path, artifact: Artifact) -> Pipeline:
    """Read a model back.

    Raises:
        ModelRefused: the file is missing, its hash is another, or it holds a type that is not trusted. Nothing of the
            file is turned into an object before the hash was compared.
    """
    path = folder / artifact.path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelRefused(f"the model's file {path} cannot be read: {error.strerror}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != artifact.sha256:
        raise ModelRefused(f"{path} is not the model that was trained: its SHA-256 is {found[:12]}…, not that recorded")
    try:
        model: Any = skops.io.loads(data, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise ModelRefused(f"{path} holds types that no model of ours has: {error}") from error
    if not isinstance(model, Pipeline):
        raise ModelRefused(f"{path} holds no pipeline but a {type(model).__name__}")
    return model
