"""Making a check of options as a file has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer import model, plugins

Look = Callable[..., Any]


def refuse(reference: plugins.SecretRef) -> model.Secret:
    raise AssertionError(f"no check that ships has secrets, got {reference}")


@pytest.fixture
def made() -> Callable[..., plugins.Check]:
    """`made(name, **options)`: the check of that name."""

    def make(name: str, /, **given: Any) -> plugins.Check:
        plugin = plugins.check(name)
        return plugin(plugins.made_of(plugin.Options, given), plugins.CheckContext(refuse))

    return make
