"""What was learned: features, models, predictions, suggestions, verifications."""

from __future__ import annotations

from snipbench.lake.columns import (
    EXPERIMENT,
    PARAMETERS,
    SNIPPET,
    TASK_ID,
    Table,
    flag,
    instant,
    integer,
    json_text,
    key,
    number,
    text,
)

FEATURES = Table(
    "features",
    "What is known of a snippet before it runs, one row per feature",
    (
        TASK_ID,
        key("analysis", "Analysis's name in the order"),
        key("measured_task", "Task that measured the snippet; other than task_id where an analysis lists several"),
        EXPERIMENT,
        SNIPPET,
        PARAMETERS,
        text("template", "Group that stays on one side of a split"),
        key("feature", "Feature's name"),
        number("value", "Feature's value, for numbers"),
        text("category", "Feature's value, for categories"),
    ),
)

MODELS = Table(
    "models",
    "Trained models with their reports",
    (
        TASK_ID,
        key("model_id", "Model's id"),
        key("analysis", "Analysis's name in the order"),
        key("target", "Measure that is predicted"),
        json_text("classes", "Classes with their bounds"),
        integer("rows", "Rows trained on", "count"),
        integer("groups", "Templates among them", "count"),
        text("verdict", "trained, or why there is no model (too little data)"),
        number("macro_f1", "Macro F1 over the folds", "ratio"),
        text("baseline", "Best of the simple baselines"),
        number("baseline_macro_f1", "Its macro F1", "ratio"),
        json_text("report", "Training report"),
        text("artifact", "Path of the stored model"),
        text("artifact_sha256", "Its hash", "hexadecimal"),
        instant("trained_at", "When it was trained"),
    ),
)

PREDICTIONS = Table(
    "predictions",
    "Classes that a model gave",
    (
        TASK_ID,
        key("model_id", "Model's id"),
        key("measured_task", "Task that measured the snippet; other than task_id where an analysis lists several"),
        EXPERIMENT,
        SNIPPET,
        PARAMETERS,
        key("predicted_class", "Class that the model gave"),
        number("probability", "Probability of that class, which need not be the greatest", "ratio"),
        text("actual_class", "Class that the measurement gave"),
        flag("held_out", "Whether the model had not seen the row's template"),
    ),
)

SUGGESTIONS = Table(
    "suggestions",
    "Advisors' proposals with what became of them",
    (
        TASK_ID,
        key("suggestion_id", "Suggestion's id"),
        EXPERIMENT,
        SNIPPET,
        key("advisor", "rules, llm or scripted"),
        text("model", "Model behind the advisor"),
        text("potential", "high, med or low"),
        json_text("suggestions", "List of suggestions in words"),
        text("code", "Proposed code"),
        number("estimated_reduction", "Reduction that the advisor expects, as a share of the time", "ratio"),
        text("verdict", "verified, equal_not_faster, wrong_result, failed or inconclusive"),
        number("ratio_median", "Median of candidate ÷ original", "ratio"),
        number("ratio_low", "Lower bound of its exact 95 % interval", "ratio"),
        number("ratio_high", "Upper bound of it", "ratio"),
        text("evidence", "Why the verdict is what it is"),
        instant("created_at", "When the advisor answered"),
    ),
)

VERIFICATIONS = Table(
    "verifications",
    "Steps of the proof of a suggestion",
    (
        TASK_ID,
        key("suggestion_id", "Suggestion's id"),
        integer("step", "Place of the step, from 1", nullable=False),
        key("name", "screening, equality, pairs, confirmation, …"),
        key("status", "passed, failed, inconclusive or skipped"),
        text("data_copy", "Copy of the data that it ran on"),
        number("ratio_median", "Median of candidate ÷ original", "ratio"),
        number("ratio_low", "Lower bound of its exact 95 % interval", "ratio"),
        number("ratio_high", "Upper bound of it", "ratio"),
        integer("pairs", "Pairs used", "count"),
        text("detail", "What was seen"),
        instant("started_at", "Start of the step"),
        instant("ended_at", "End of the step"),
    ),
)
