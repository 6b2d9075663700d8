"""The benchmark of sandboxes measures every provider that is there."""

from __future__ import annotations

import pytest

from envs.swe.sandbox import bubblewrap
from scripts.benchmarks import swe
from scripts.benchmarks.turns import Arguments


def test_a_provider_that_is_there_has_a_row_and_a_number(monkeypatch: pytest.MonkeyPatch):
    if reason := bubblewrap.unavailable():
        pytest.skip(reason)
    monkeypatch.setattr(swe, "COMMANDS", 4)
    monkeypatch.setattr(swe, "no_docker", lambda: "none")
    monkeypatch.setattr(swe, "no_engine", lambda: "none")
    result = swe.swe(Arguments(repeats=1))
    assert [row["provider"] for row in result["rows"]] == ["bubblewrap"]
    assert 0 < result["ratios"]["bubblewrap_noop_ms"] < 60


def test_without_any_provider_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(swe, "available", lambda: {"docker": "none", "bubblewrap": "none"})
    monkeypatch.setattr(swe, "no_docker", lambda: "none")
    monkeypatch.setattr(swe, "no_engine", lambda: "none")
    with pytest.raises(ValueError, match=r"scripts\.sandbox check"):
        swe.swe(Arguments(repeats=1))
