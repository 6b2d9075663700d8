"""What all tests share: nothing of the user's own is touched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The key that runs are signed with is a key of the tests', in processes of theirs too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def no_plots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process draw no curves, half of a short run's time, but where `plots` marks."""
    if {"scripts", "agents"} & set(request.path.parts) and request.node.get_closest_marker("plots") is None:
        monkeypatch.setattr("scripts.results.finish.plot_run", lambda *_, **__: [])
