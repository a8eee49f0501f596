"""Kind ``function``: a plain Python call in the session's own process."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from pyspark.sql import SparkSession

from executor.session.code import loaded
from executor.session.kinds import Loaded, input_of, loads, query
from snipbench.domain.order import Kind, Scalar, Snippet


@loads(Kind.FUNCTION)
def load_function(spark: SparkSession, snippet: Snippet, parameters: Mapping[str, Scalar], stack: ExitStack) -> Loaded:
    """``def run(**parameters)``; with ``input:``, its result as a pandas DataFrame comes first; loaded here."""
    entry = stack.enter_context(loaded(snippet))
    if snippet.input is None:
        return Loaded(lambda: entry(**parameters), gives_frame=False)
    frame = Inputs.of(spark).fresh_copy(input_of(snippet), parameters)
    return Loaded(lambda: entry(frame, **parameters), gives_frame=False)


class Inputs:
    """The last input, pickled: variants of one baseline share it, and unpickling gives each run a copy of its own,
    nested values included."""

    _of_session: tuple[SparkSession, Inputs] | None = None

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._key: tuple[str, tuple[tuple[str, Scalar], ...]] | None = None
        self._pickled = b""

    @classmethod
    def of(cls, spark: SparkSession) -> Inputs:
        """The inputs of this session; a new session (new views, say) starts with none."""
        if cls._of_session is None or cls._of_session[0] is not spark:
            cls._of_session = (spark, cls(spark))
        return cls._of_session[1]

    def forget(self) -> None:
        """Load the next input anew: the data have changed."""
        self._key = None
        self._pickled = b""

    def fresh_copy(self, text: str, parameters: Mapping[str, Scalar]) -> Any:
        """A pandas DataFrame that nobody else holds."""
        key = (text, tuple(sorted(parameters.items())))
        if key != self._key:
            self._key = None
            self._pickled = pickle.dumps(query(self._spark, text, parameters).toPandas(), protocol=5)
            self._key = key
        return pickle.loads(self._pickled)
