"""The calm term in whole runs: its file between two sessions, its last word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.running.progress_csv import read_rows
from scripts.train import main

ROOM = ["env=minihack/room_dark_5x5", "shaping=calm", "n_envs=4", "agent.n_steps=32", "agent.batch_size=64"]
QUIET = ["tracking=none", "evaluate_episodes=0", "gif=false", "agent.n_epochs=1"]
GIVEN = "shaping.terms.calm.subgoals={see the stairs: opened_door, fall: deeper_level}"
SYMBOLIC = ["shaping.terms.calm.detector=symbolic", GIVEN]
SEEN = "terms/calm/achieved_per_1000_see_the_stairs"


@pytest.fixture(scope="module", autouse=True)
def no_pictures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scripts.results.finish.plot_run", lambda path: None)
        yield


@pytest.fixture(scope="module")
def first_session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose first subgoal names an event that never happens there."""
    run = tmp_path_factory.mktemp("calm") / "run"
    assert main([*ROOM, *QUIET, *SYMBOLIC, f"run_dir={run}", "total_timesteps=256"]) == 0
    return run


def test_an_event_that_is_edited_between_two_sessions_pays_in_the_second(first_session: Path) -> None:
    file = first_session / "terms" / "calm" / "subgoals.yaml"
    before = file.read_text()
    file.write_text(before.replace("event: opened_door", "event: saw_stairs"))
    try:
        assert main([f"resume={first_session}", "total_timesteps=512"]) == 0
    finally:
        file.write_text(before)
    column = [float(row[SEEN]) for row in read_rows(first_session / "progress.csv")[1]]
    assert column[0] == 0 < column[-1]


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (("event: opened_door", "event: saw_stares"), "Did you mean saw_stairs"),
        (("event: opened_door", "event: null"), "'see the stairs' names none"),
        (("subgoals:\n", "subgoals:\n- {text: rest, event: ate}\n"), "3 subgoals, and the run began with 2"),
        (("subgoals:\n", "subgoals: 3\nothers:\n"), "holds no subgoals"),
    ],
)
def test_an_edit_that_cannot_be_gone_on_with_is_refused_in_words(
    first_session: Path, capfd: pytest.CaptureFixture[str], edit: tuple[str, str], says: str
) -> None:
    file = first_session / "terms" / "calm" / "subgoals.yaml"
    before = file.read_text()
    file.write_text(before.replace(*edit))
    try:
        assert main([f"resume={first_session}", "total_timesteps=1024"]) == 2
    finally:
        file.write_text(before)
    assert says in capfd.readouterr().err


@pytest.mark.parametrize("term", ["calm", "oni"])
def test_a_run_in_which_nothing_was_judged_says_so_on_screen_and_in_its_summary(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], term: str
) -> None:
    run = tmp_path / "run"
    nobody = ["llm=endpoint", "llm.base_url=http://127.0.0.1:9/v1", "llm.retries=0", f"llm.cache={tmp_path / 'c'}"]
    shaping = {"calm": ["shaping.terms.calm.patience=0"], "oni": ["shaping=oni/retrieval"]}[term]
    assert main([*ROOM, *QUIET, *nobody, *shaping, f"run_dir={run}", "total_timesteps=256"]) == 0
    remark = json.loads((run / "summary.json").read_text())["remarks"][term]
    assert remark.startswith("0 of ")
    assert "Connection error" in remark
    assert f"WARNING: {term}: {remark}" in capfd.readouterr().out


def test_a_run_that_has_nothing_to_add_adds_nothing(first_session: Path) -> None:
    assert "remarks" not in json.loads((first_session / "summary.json").read_text())
