"""The secrets that were resolved since the start, so that none stands in a log or in what an action prints."""

from __future__ import annotations

from healer import secrets


class Masking:
    """Hears of each value (`secrets.Secrets` calls it) and masks it from then on."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._masker = secrets.Masker([])

    def __call__(self, reference: str, value: str) -> None:
        """A value was resolved."""
        if self._values.get(reference) != value:
            self._values[reference] = value
            self._masker = secrets.Masker(list(self._values.values()))

    def values(self) -> list[str]:
        """All that were."""
        return list(self._values.values())

    def line(self, text: str) -> str:
        """A line of the log, masked."""
        return self._masker.whole(text.encode()).decode("utf-8", "replace") if self._values else text
