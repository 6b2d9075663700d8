"""Episodes are counted, a rate is one of a hundred, and a run may end when it is high enough."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from foundation.plain_state import read_state
from scripts.results.curves import read_progress
from scripts.running.finished_episodes import WINDOW, FinishedEpisodes, told
from scripts.running.progress_csv import ALWAYS, EPISODES, SECONDS, STEPS, SUCCESS, read_rows
from scripts.train import main
from tests.scripts.running.test_training import QUIET, newest, summary, train

KNOWN = ["env=custom", "env.id=Test/Tells-v0", "shaping=none", "n_envs=2", "agent.n_steps=32", "agent.batch_size=32"]


class Tells(gymnasium.Env[Any, Any]):
    """Episodes of two steps that succeed from the 60th on."""

    observation_space = spaces.Box(0.0, 1.0, (1,))
    action_space = spaces.Discrete(2)

    def __init__(self) -> None:
        self.begun = self.steps = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.begun, self.steps = self.begun + 1, 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        over = self.steps == 2
        return np.zeros(1, np.float32), 0.0, over, False, {"is_success": self.begun >= 60} if over else {}


gymnasium.register("Test/Tells-v0", Tells)


def ended(episodes: FinishedEpisodes, successes: list[bool | None], steps: int = 0) -> None:
    for success in successes:
        steps += 1
        episodes.add([True], [{} if success is None else {"is_success": success}], steps, steps / 2)


def test_the_rate_of_fewer_episodes_than_the_window_is_none() -> None:
    episodes = FinishedEpisodes()
    ended(episodes, [True] * (WINDOW - 1))
    assert episodes.success_rate() is None
    ended(episodes, [False])
    assert episodes.success_rate() == 0.99
    assert episodes.count == WINDOW


def test_the_moment_at_which_the_rate_was_enough_is_that_of_the_episode() -> None:
    episodes = FinishedEpisodes(0.9)
    ended(episodes, [False] * 50 + [True] * 60)
    assert episodes.reached is None
    ended(episodes, [True] * 50, steps=110)
    assert episodes.reached == {"success_rate": 0.9, "episodes": 100, "steps": 140, "seconds": 70.0}
    ended(episodes, [True] * 9, steps=160)
    assert episodes.reached["steps"] == 140


def test_several_episodes_that_end_at_once_are_counted_each() -> None:
    episodes = FinishedEpisodes()
    episodes.add([True, False, True], [{"is_success": True}, {}, {}], 3, 1.0)
    assert episodes.count == 2


def test_a_state_goes_on() -> None:
    first, second = FinishedEpisodes(0.9), FinishedEpisodes(0.9)
    ended(first, [True] * 120)
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict()
    assert second.reached is not None


def test_a_run_ends_when_the_last_hundred_episodes_succeeded_often_enough(tmp_path: Path) -> None:
    run = tmp_path / "run"
    line = [*KNOWN, *QUIET, f"run_dir={run}", "stop_at_success=0.9", "total_timesteps=100000"]
    assert main(line) == 0
    content = summary(run)
    # two environments: episodes 60 to 109 of each fill the window; 90 % of it from the 104th on
    assert content["reached"]["steps"] == 2 * 2 * 104
    assert content["reached"]["episodes"] == 100
    assert 0 < content["reached"]["seconds"] <= content["seconds"]
    assert content["status"] == "finished"
    assert content["steps"] == newest(run) == 448  # the end of that rollout
    assert content["episodes"] == 224
    assert main([f"resume={run}"]) == 0
    assert summary(run)["steps"] == 448
    assert summary(run)["reached"] == content["reached"]


def test_a_run_that_never_gets_there_says_so(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main([*KNOWN, *QUIET, f"run_dir={run}", "stop_at_success=1", "total_timesteps=64"]) == 0
    assert summary(run)["reached"] is None


def test_a_task_that_knows_no_success_cannot_be_waited_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path / "run", "shaping=none", "stop_at_success=0.9", "total_timesteps=640") == 1
    assert "does not tell whether that was a success" in capfd.readouterr().out


@pytest.mark.parametrize("value", ["0", "1.5", "nan"])
def test_a_rate_that_cannot_be_is_refused(value: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path / "run", "shaping=none", f"stop_at_success={value}") == 2
    assert "stop_at_success" in capfd.readouterr().err


def test_progress_csv_has_its_columns_from_the_first_row_and_no_rate_of_few_episodes(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main([*KNOWN, *QUIET, f"run_dir={run}", "total_timesteps=448"]) == 0
    columns, rows = read_rows(run / "progress.csv")
    assert tuple(columns[: len(ALWAYS)]) == ALWAYS
    assert [int(row[EPISODES]) for row in rows] == [32 * n for n in range(1, 8)]
    assert [bool(row[SUCCESS]) for row in rows] == [False] * 3 + [True] * 4
    seconds = [float(row[SECONDS]) for row in rows]
    assert seconds == sorted(seconds)
    assert any(value != int(value) for value in seconds)
    assert read_progress(run)[STEPS].tolist() == [64.0 * n for n in range(1, 8)]


def test_a_resumed_run_counts_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main([*KNOWN, *QUIET, f"run_dir={run}", "total_timesteps=128"]) == 0
    assert main([f"resume={run}", "total_timesteps=256"]) == 0
    counts = [int(row[EPISODES]) for row in read_rows(run / "progress.csv")[1]]
    assert counts == [32, 64, 96, 128]
    newest_state = max((run / "checkpoints").iterdir()) / "state.pt"
    assert read_state(newest_state)["finished_episodes"]["count"] == 128


@pytest.mark.parametrize(
    ("info", "says"),
    [
        ({}, "no figures in info"),
        ({"stats": {"resolve_rate": 1.0}}, "ended with resolve_rate.*expected completion_rate, resolve_rate"),
        ({"stats": {"completion_rate": 1.0, "resolve_rate": float("nan")}}, "resolve_rate = nan"),
        ({"stats": {"completion_rate": "yes", "resolve_rate": 0.0}}, "completion_rate = 'yes'"),
    ],
)
def test_figures_that_are_not_the_same_names_with_numbers_every_time_are_an_error(info: dict, says: str) -> None:
    names = ("completion_rate", "resolve_rate")
    assert told({"stats": dict.fromkeys(names, True)}, ()) == dict.fromkeys(names, 1.0)
    with pytest.raises(ValueError, match=says):
        told(info, names)
