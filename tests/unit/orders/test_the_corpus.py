"""What the corpus of configs/corpus holds."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from orchestrator.orders import read_order

CORPUS = Path(__file__).parents[3] / "configs" / "corpus"


def test_it_has_many_templates_in_several_forms_and_sizes() -> None:
    experiments = [
        experiment for path in sorted(CORPUS.glob("*.yaml")) for experiment in read_order(path).order.experiments
    ]
    forms: dict[str, set[str]] = defaultdict(set)
    for experiment in experiments:
        for snippet in experiment.snippets:
            forms[snippet.template].add(snippet.name)
        sizes = sorted(experiment.parameters["max_key"])
        assert float(sizes[-1]) >= 100 * float(sizes[0])
    assert len(forms) >= 16
    assert sum(map(len, forms.values())) >= 48
    assert min(map(len, forms.values())) >= 2
