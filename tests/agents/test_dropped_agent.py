"""A folder dropped into agents/ is an agent: trained, killed, resumed, evaluated, compared, listed.

The agent is a population that scores its candidates itself and keeps an archive in a file of its
own.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv

import agents
from agents.agent import registry
from agents.algorithm import Algorithm
from foundation.plain_state import Untrusted
from foundation.registry import import_all
from scripts.compare import compare
from scripts.configuration.help import help_text
from scripts.results.evaluation import evaluate_run
from scripts.running.checkpoints import latest_checkpoint
from scripts.running.progress_csv import STEPS, read_rows
from scripts.train import main
from tests.payload import Payload, pickled, with_attribute

REPOSITORY = Path(__file__).parents[2]
DROPPED = Path(__file__).with_name("dropped")
# As if the folder lay in agents/: a package is searched wherever its __path__ says.
COMMAND = f"""import sys, agents
agents.__path__.append({str(DROPPED)!r})
from scripts.train import main
sys.exit(main(sys.argv[1:]))"""
SETTINGS = ["env=classic/cartpole", "shaping=count", "shaping.terms.count.weight=0.01", "agent=random_search"]


@pytest.fixture
def dropped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder lies in agents/ for this process, too."""
    registry.names()  # those that are there already
    monkeypatch.setattr(agents, "__path__", [*agents.__path__, str(DROPPED)])
    monkeypatch.setattr(registry, "_classes", dict(registry._classes))
    import_all.cache_clear()
    yield
    import_all.cache_clear()
    sys.modules.pop("agents.random_search", None)
    vars(agents).pop("random_search", None)


def archive(run_dir: Path) -> np.ndarray:
    checkpoint = latest_checkpoint(run_dir / "checkpoints")
    assert checkpoint is not None
    with np.load(checkpoint.path / "archive.npz") as content:
        return content["scores"]


@pytest.mark.usefixtures("dropped")
def test_a_dropped_agent_is_trained_killed_resumed_evaluated_and_compared(tmp_path: Path) -> None:
    place = tmp_path / "searched"
    arguments = [*SETTINGS, "n_envs=4", "tracking=none", "evaluate_episodes=0", "checkpoint_every=500", "agent.kept=4"]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments, f"run_dir={place}", "total_timesteps=100000000"],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    give_up = time.monotonic() + 120
    while len(list((place / "checkpoints").glob("step_*"))) < 2 and time.monotonic() < give_up:
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before, checkpoint = archive(place), latest_checkpoint(place / "checkpoints")
    assert checkpoint is not None

    total = checkpoint.steps + 3000
    assert main([f"resume={place}", f"total_timesteps={total}"]) == 0
    steps = [int(row[STEPS]) for row in read_rows(place / "progress.csv")[1]]
    assert steps == sorted(set(steps))
    assert steps[-1] >= total
    after = archive(place)
    assert len(after) == 4
    assert after[0] >= before[0]  # the archive went on from where it was
    row = read_rows(place / "progress.csv")[1][-1]
    assert float(row["train/best_score"]) == pytest.approx(after[0])
    assert float(row["reward/count"]) > 0

    assert evaluate_run(place, episodes=4, gif=False)["return_mean"] > 20  # chance ends at about 20
    assert json.loads((place / "evaluation.json").read_text())["episodes"] == 4
    assert "random_search" in compare([str(place)], tmp_path / "compared")


@pytest.mark.usefixtures("dropped")
def test_a_dropped_agent_is_listed_and_its_settings_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert "    random_search " in help_text()
    assert "Random search over linear policies, with an archive of the best." in help_text()
    for words, says in (
        ([*SETTINGS, "agent.sgima=1"], "Did you mean sigma"),
        ([*SETTINGS, "agent.sigma=-1"], "agent.sigma=-1.0: expected a number above 0"),
        (["agent=random_searc"], "Did you mean random_search"),
        (["agent=random_search", "env=classic/pendulum", "shaping=none"], "needs one discrete action (Discrete)"),
    ):
        assert main(words) == 2
        assert says in capsys.readouterr().err


def test_without_the_folder_there_is_no_such_agent() -> None:
    assert "random_search" not in agents.names()


class Keeps(Algorithm):
    """Keeps whatever it is given."""

    def collect(self, callback):
        return True

    def train(self):
        pass


def kept(**settings):
    return Keeps(DummyVecEnv([lambda: gymnasium.make("CartPole-v1")] * 2), seed=3, **settings)


def test_what_an_algorithm_of_ones_own_keeps_is_loaded_without_unpickling(tmp_path: Path) -> None:
    model = kept(numbers=[1, 2.5], table={"a": 1}, array=np.arange(3), word="x")
    drawn = model.random.random(5)
    model.num_timesteps = 70
    model.save(tmp_path / "agent.zip")
    expected = model.random.random(5)
    for env in (model.env, None):
        again = Keeps.load(tmp_path / "agent.zip", env=env)
        assert (again.numbers, again.table, again.word, again.num_timesteps) == ([1, 2.5], {"a": 1}, "x", 70)
        np.testing.assert_array_equal(again.array, np.arange(3))
        np.testing.assert_array_equal(again.random.random(5), expected)
        assert again.env is env
    assert not np.array_equal(drawn, expected)


@pytest.mark.parametrize("value", [Path("x"), print, {"deep": [Path("x")]}])
def test_what_could_only_be_unpickled_is_refused_where_it_is_saved(tmp_path: Path, value: Any) -> None:
    with pytest.raises(TypeError, match=r"Keeps\.odd is a .*_excluded_save_params"):
        kept(odd=value).save(tmp_path / "agent.zip")


def test_a_payload_in_an_algorithm_of_ones_own_is_refused_unrun(tmp_path: Path) -> None:
    kept(numbers=[1]).save(tmp_path / "agent.zip")
    with_attribute(tmp_path / "agent.zip", "numbers", pickled(Payload(tmp_path / "marker")))
    with pytest.raises(Untrusted, match="its numbers is a pickle"):
        Keeps.load(tmp_path / "agent.zip")
    assert not (tmp_path / "marker").exists()
