"""A small, seeded search over pipelines, judged by folds that keep groups whole."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
import pandas as pd

from analyzer.models.grouping import make_folds
from analyzer.models.pipelines import DEFAULT, Choice, build, suggest
from analyzer.models.scores import macro_f1

INNER_FOLDS = 3


@dataclass(frozen=True, slots=True)
class Found:
    """The best pipeline of a search; ``score`` is its macro-F1 over the inner folds together.

    ``cut`` says that time ended the search before its trials did, so that the result depends on the machine's speed.
    """

    choice: Choice
    score: float
    trials: int
    failed: int
    cut: bool


def search(
    table: pd.DataFrame,
    classes: Sequence[str],
    groups: Sequence[str],
    *,
    trials: int,
    seconds: float,
    seed: int,
    monotonic: Callable[[], float],
) -> Found:
    """Try ``trials`` pipelines, at most ``seconds`` long (no trial is started later); the first is the default.

    Rows outside ``table`` are unknown here: a nested search sees its training rows alone.
    """
    folds = make_folds(classes, groups, min(INNER_FOLDS, len(set(groups))), seed)
    labels = np.array(classes, dtype=object)
    end = monotonic() + seconds
    choices: dict[int, Choice] = {}

    def objective(trial: optuna.Trial) -> float:
        choice = DEFAULT if trial.number == 0 else suggest(trial)
        choices[trial.number] = choice
        given = np.empty(len(labels), dtype=object)
        for fold in folds:
            model = build(choice, list(table.columns), seed)
            train, test = list(fold.train), list(fold.test)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(table.iloc[train], labels[train])
                given[test] = model.predict(table.iloc[test])
        return macro_f1(classes, list(given))

    def stop_in_time(study: optuna.Study, _: optuna.trial.FrozenTrial) -> None:
        if monotonic() >= end:
            study.stop()

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=trials, callbacks=[stop_in_time], catch=(ValueError,))
    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if not done:
        return Found(DEFAULT, 0.0, len(study.trials), len(study.trials), len(study.trials) < trials)
    best = max(done, key=lambda trial: (trial.value or 0.0, -trial.number))
    return Found(
        choice=choices[best.number],
        score=float(best.value or 0.0),
        trials=len(study.trials),
        failed=len(study.trials) - len(done),
        cut=len(study.trials) < trials,
    )
