"""A line of very many points, thinned as it comes to what a drawing of so many columns can show."""

from __future__ import annotations

Point = tuple[float, float | None]
"""``(place, value)``; a gap (``None``) breaks the line."""


class ThinnedLine:
    """Keeps of each column its least and greatest value and whether the line breaks in it: at most four points.

    Points come from left to right. Where a column holds one point nothing is changed.
    """

    def __init__(self, column_width: float) -> None:
        self._width = column_width
        self._done: list[Point] = []
        self._column: int | None = None
        self._kept: _Column = _Column()
        self.given = 0
        """Points that were added."""

    def add(self, place: float, value: float | None) -> None:
        """The next point."""
        column = int(place / self._width)
        if column != self._column:
            self._done += self._kept.points()
            self._column, self._kept = column, _Column()
        self._kept.add(place, value)
        self.given += 1

    def points(self) -> tuple[Point, ...]:
        """What is left of all that was added."""
        return (*self._done, *self._kept.points())


class _Column:
    def __init__(self) -> None:
        self._first: Point | None = None
        self._least: tuple[float, float] | None = None
        self._greatest: tuple[float, float] | None = None
        self._gap: Point | None = None

    def add(self, place: float, value: float | None) -> None:
        self._first = self._first or (place, value)
        if value is None:
            self._gap = (place, None)
            return
        if self._least is None or value < self._least[1]:
            self._least = (place, value)
        if self._greatest is None or value > self._greatest[1]:
            self._greatest = (place, value)

    def points(self) -> list[Point]:
        values: list[Point] = sorted({point for point in (self._least, self._greatest) if point is not None})
        if self._first is not None and self._first[1] is None:
            values.insert(0, self._first)
        if self._gap is not None and self._gap != self._first:
            values.append(self._gap)
        return values
