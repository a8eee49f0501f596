"""A small, seeded search over pipelines, judged by folds that keep groups whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import optuna

from analyzer.models.examples import Examples
from analyzer.models.grouping import make_folds
from analyzer.models.pipelines import DEFAULT, Choice, fitted, suggest
from analyzer.models.scores import difference, macro_f1

INNER_FOLDS = 3


@dataclass(frozen=True, slots=True)
class Found:
    """The pipeline that a search leads to; ``score`` is its macro-F1 over the inner folds together.

    ``cut`` says that time ended the search before its trials did, so that the result depends on the machine's speed.
    """

    choice: Choice
    score: float
    trials: int
    failed: int
    cut: bool


def search(
    examples: Examples,
    *,
    trials: int,
    seconds: float,
    seed: int,
    monotonic: Callable[[], float],
) -> Found:
    """Try ``trials`` pipelines, at most ``seconds`` long (no trial is started later); the first is the default.

    Another takes the default's place only where the 95 % interval of its gain over the inner folds lies above 0: the
    best of many trials looks better than it is (decision 0192). Rows outside ``examples`` are unknown here: a nested
    search sees its training rows alone.
    """
    folds = make_folds(examples.classes, examples.groups, min(INNER_FOLDS, len(set(examples.groups))), seed)
    end = monotonic() + seconds
    tried: dict[int, tuple[Choice, list[str]]] = {}

    def objective(trial: optuna.Trial) -> float:
        choice = DEFAULT if trial.number == 0 else suggest(trial)
        given = np.empty(len(examples.classes), dtype=object)
        for fold in folds:
            model = fitted(choice, examples.take(fold.train), seed)
            given[list(fold.test)] = model.predict(examples.take(fold.test).features)
        tried[trial.number] = choice, list(given)
        return macro_f1(examples.classes, list(given))

    def stop_in_time(study: optuna.Study, _: optuna.trial.FrozenTrial) -> None:
        if monotonic() >= end:
            study.stop()

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=trials, callbacks=[stop_in_time], catch=(ValueError,))
    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if not done:
        return Found(DEFAULT, 0.0, len(study.trials), len(study.trials), len(study.trials) < trials)
    best = max(done, key=lambda trial: (trial.value or 0.0, -trial.number)).number
    if 0 in tried and best != 0:
        gain = difference(examples.classes, tried[best][1], tried[0][1], examples.groups, seed)
        best = best if gain.low > 0 else 0
    choice, given = tried[best]
    return Found(
        choice=choice,
        score=macro_f1(examples.classes, given),
        trials=len(study.trials),
        failed=len(study.trials) - len(done),
        cut=len(study.trials) < trials,
    )
