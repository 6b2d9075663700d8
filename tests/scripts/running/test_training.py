"""Training from the command line: what it leaves, how it fails, how it stops."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
import yaml
from gymnasium.envs.classic_control import CartPoleEnv
from stable_baselines3 import PPO

from agents.sb3.clipped_update import FastPPO
from scripts.running import training
from scripts.running.checkpoints import latest_checkpoint
from scripts.running.progress_csv import STEPS, read_rows
from scripts.running.run_directory import RunDirectory, load_run
from scripts.running.tracking import wandb_mode
from scripts.train import main
from shaping import RewardTerm, Transitions
from shaping.calm.term import CalmTerm
from shaping.llm import EmbeddedServer, Unavailable
from shaping.terms import registry as reward_terms
from tests.foundation.copies import copy, python
from tests.scripts.running import wandb_files

REPOSITORY = Path(__file__).parents[3]
SMALL = ["env=classic/cartpole", "n_envs=2", "agent.n_steps=32", "agent.batch_size=32", "agent.n_epochs=1"]
QUIET = ["tracking=none", "evaluate_episodes=0"]


class Dies(CartPoleEnv):
    """Fails after some steps."""

    def __init__(self, after: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.left = after

    def step(self, action: Any) -> Any:
        self.left -= 1
        if self.left <= 0:
            raise RuntimeError("the engine caught fire")
        return super().step(action)


gymnasium.register("Test/Dies-v0", Dies, max_episode_steps=50)


def train(run: Path, *settings: str) -> int:
    return main([*SMALL, *QUIET, f"run_dir={run}", *settings])


def summary(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "summary.json").read_text())
    return content


def column(run: Path, name: str) -> list[str]:
    return [row[name] for row in read_rows(run / "progress.csv")[1]]


def newest(run: Path) -> int:
    checkpoint = latest_checkpoint(run / "checkpoints")
    assert checkpoint is not None
    return checkpoint.steps


@pytest.mark.plots
def test_a_run_leaves_everything_that_the_documentation_names(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(run, "shaping=[count,rnd]", "total_timesteps=640", "tracking=tensorboard", "evaluate_episodes=4") == 0
    results = summary(run)
    assert results["status"] == "finished"
    assert results["steps"] == 640
    assert results["seed"] == 0
    assert results["success_rate"] is None  # a pole knows no success
    assert results["task_return_mean"] > 0
    assert results["steps_per_second"] == pytest.approx(results["steps"] / results["seconds"], rel=0.01)
    choices = {"env": "classic/cartpole", "shaping": "count+rnd", "agent": "ppo", "tracking": "tensorboard"}
    assert results["config"] == yaml.safe_load((run / "choices.yaml").read_text()) == choices
    columns, rows = read_rows(run / "progress.csv")
    assert [int(row[STEPS]) for row in rows] == list(range(64, 641, 64))
    wanted = {"rollout/ep_rew_mean", "rollout/ep_len_mean", "rollout/shaped_return_mean", "time/fps"}
    wanted |= {"time/time_elapsed", "reward/task", "reward/count", "reward/rnd", "train/loss"}
    assert wanted <= set(columns)
    assert any(name.startswith("terms/rnd/") for name in columns)
    assert list((run / "tensorboard").iterdir())
    assert (run / "evaluation.json").exists()
    assert list((run / "plots").glob("*.png"))
    assert newest(run) == 640


def test_the_task_return_is_that_of_the_task_and_not_the_shaped_one(tmp_path: Path) -> None:
    assert train(tmp_path / "run", "shaping=count", "shaping.task_weight=0", "total_timesteps=512") == 0
    returns = [float(value) for value in column(tmp_path / "run", "rollout/ep_rew_mean")]
    lengths = [float(value) for value in column(tmp_path / "run", "rollout/ep_len_mean")]
    np.testing.assert_allclose(returns, lengths)  # CartPole pays 1 a step
    assert float(column(tmp_path / "run", "reward/task")[-1]) == 0.0


def test_the_same_seed_gives_the_same_curve(tmp_path: Path) -> None:
    curves = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert train(tmp_path / name, "shaping=count", f"seed={seed}", "total_timesteps=640") == 0
        columns, rows = read_rows(tmp_path / name / "progress.csv")
        curves.append([[row[key] for key in columns if not key.startswith("time/")] for row in rows])
    assert curves[0] == curves[1]
    assert curves[0] != curves[2]


@pytest.mark.parametrize("agent", ["dqn", "a2c"])
def test_other_agents_write_one_row_a_step_count(agent: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = ["agent.learning_starts=100", "agent.log_every=100"] if agent == "dqn" else ["agent.n_steps=16"]
    arguments = ["env=classic/cartpole", "shaping=count", f"agent={agent}", "n_envs=2", f"run_dir={run}"]
    assert main([*arguments, *QUIET, "total_timesteps=600", *settings]) == 0
    steps = [int(value) for value in column(run, STEPS)]
    assert steps == sorted(set(steps))
    assert steps[-1] == summary(run)["steps"] >= 600


def test_a_run_loads_with_the_stack_it_was_trained_in(tmp_path: Path) -> None:
    assert train(tmp_path / "run", "shaping=rnd", "total_timesteps=128") == 0
    run = load_run(tmp_path / "run")
    agent = run.load_agent()
    for n_envs in (2, 3):
        env = run.venv(n_envs)
        observations = env.reset()
        for _ in range(5):
            observations, _, _, _ = env.step(agent.predict(observations)[0])
        env.close()
    assert agent.num_timesteps == run.checkpoint.steps == 128


def test_an_environment_that_dies_ends_the_run_with_a_checkpoint(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert train(run, "env=custom", "env.id=Test/Dies-v0", "shaping=none", "total_timesteps=1000") == 1
    assert summary(run)["status"] == "failed"
    assert "the engine caught fire" in summary(run)["error"]
    assert "the engine caught fire" in (run / "error.txt").read_text()
    out = capfd.readouterr()
    assert "the engine caught fire" in out.out
    assert "Traceback" not in out.out + out.err
    assert newest(run) == summary(run)["steps"] == 192  # it died at 2 x 100 steps, the last boundary is at 3 x 64
    assert load_run(run).load_agent().num_timesteps == 192


def test_a_term_that_gives_nan_stops_the_run_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(RewardTerm):
        """Not a number, from some step on."""

        def __init__(self, after: int = 100) -> None:
            self.after = after

        def __call__(self, batch: Transitions) -> Any:
            self.after -= 1
            return np.full(len(batch), np.nan if self.after < 0 else 0.0)

    reward_terms.names()
    monkeypatch.setitem(reward_terms._classes, "broken", Broken)
    run = tmp_path / "run"
    assert train(run, "shaping=broken", "total_timesteps=1000") == 1
    reward_terms._schemas.pop("broken", None)
    assert "'broken' gave nan" in summary(run)["error"]
    assert newest(run) == 192


def test_a_runs_terms_are_built_once_and_the_evaluation_has_no_use_for_those_that_publish_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counted(RewardTerm):
        """Counts its instances, and those that pay for a step."""

        built, asked = 0, set()

        def __init__(self) -> None:
            Counted.built += 1

        def __call__(self, batch: Transitions) -> Any:
            Counted.asked.add(id(self))
            return np.zeros(len(batch))

    reward_terms.names()
    monkeypatch.setitem(reward_terms._classes, "counted", Counted)
    monkeypatch.setattr("scripts.results.finish.plot_run", lambda path, trust: None)
    assert train(tmp_path / "run", "shaping=counted", "total_timesteps=128") == 0
    assert Counted.built == 1
    assert train(tmp_path / "other", "shaping=counted", "total_timesteps=128", "evaluate_episodes=2", "gif=false") == 0
    reward_terms._schemas.pop("counted", None)
    assert len(Counted.asked) == 2  # the trainings'


def test_transforms_combiner_and_schedules_of_the_command_line_reach_the_reward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.results.finish.plot_run", lambda path, trust: None)
    clip = "shaping.terms.count.transforms=[{name: clip, low: 0.25, high: 0.25001}]"
    task = "shaping.task_transforms=[{name: sigmoid, reference: 1.0}]"  # CartPole pays 1: worth nothing then
    assert train(tmp_path / "run", "shaping=count", clip, task, "total_timesteps=512") == 0
    length = float(column(tmp_path / "run", "rollout/ep_len_mean")[-1])
    assert float(column(tmp_path / "run", "reward/count")[-1]) == pytest.approx(0.25 * length, rel=1e-3)
    assert float(column(tmp_path / "run", "reward/task")[-1]) == 0.0
    paid = float(column(tmp_path / "run", "rollout/shaped_return_mean")[-1])
    assert paid == pytest.approx(0.25 * length, rel=1e-3)


def test_the_tasks_own_reward_can_be_clipped_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.results.finish.plot_run", lambda path: None)
    task = "shaping.task_transforms=[{name: clip, low: -10, high: 0.5}]"  # CartPole pays 1 a step
    assert train(tmp_path / "run", "shaping=none", task, "total_timesteps=512") == 0
    length = float(column(tmp_path / "run", "rollout/ep_len_mean")[-1])
    assert float(column(tmp_path / "run", "rollout/shaped_return_mean")[-1]) == pytest.approx(0.5 * length)
    assert float(column(tmp_path / "run", "rollout/ep_rew_mean")[-1]) == pytest.approx(length), "the task's own"


def test_what_an_agent_was_paid_in_the_end_is_what_a_run_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.results.finish.plot_run", lambda path, trust: None)
    released = ["shaping=count", "shaping.task_weight=0", "shaping.episode.name=terminal_release"]
    assert train(tmp_path / "run", *released, "total_timesteps=512") == 0
    bonus = float(column(tmp_path / "run", "reward/count")[-1])
    assert bonus > 0
    assert float(column(tmp_path / "run", "rollout/shaped_return_mean")[-1]) == pytest.approx(bonus, rel=1e-5)


def test_no_checkpoint_holds_weights_that_are_not_finite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Learning goes wrong after some updates: the run stops; an earlier checkpoint is newest."""
    update = FastPPO.train
    updates = itertools.count()

    def spoilt(model: FastPPO) -> None:
        update(model)
        if next(updates) == 3:
            with torch.no_grad():
                next(iter(model.policy.parameters()))[0] = float("nan")

    monkeypatch.setattr(FastPPO, "train", spoilt)
    monkeypatch.setattr(PPO, "collect_rollouts", _collect_whatever_the_weights(PPO.collect_rollouts))
    run = tmp_path / "run"
    assert train(run, "shaping=none", "total_timesteps=1000", "checkpoint_every=64") == 1
    assert "learning gave NaN or infinity in policy" in summary(run)["error"]
    assert newest(run) == 3 * 64
    assert "smaller agent.learning_rate" in capfd.readouterr().out
    assert load_run(run).load_agent().num_timesteps == 3 * 64


def _collect_whatever_the_weights(collect: Callable[..., bool]) -> Callable[..., bool]:
    """SB3 would notice NaN when it samples actions; in a larger network it may stay hidden."""

    def collected(model: PPO, env: Any, callback: Any, *arguments: Any, **keywords: Any) -> bool:
        if all(torch.isfinite(weights).all() for weights in model.policy.parameters()):
            return collect(model, env, callback, *arguments, **keywords)
        callback.on_rollout_start()
        raise AssertionError("it went on with weights that are not finite")

    return collected


def test_a_full_disk_while_training_loses_no_checkpoint_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = training.write_checkpoint

    def full(folder: Path, steps: int, writers: Any, keep: int) -> Any:
        if steps > 200:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(folder, steps, writers, keep)

    monkeypatch.setattr(training, "write_checkpoint", full)
    run = tmp_path / "run"
    assert train(run, "shaping=none", "total_timesteps=640", "checkpoint_every=64") == 1
    assert capfd.readouterr().out.count("WARNING: checkpoint could not be written") == 1
    assert summary(run)["steps"] == 640
    assert newest(run) == 192


def test_an_unwritable_run_directory_is_exit_code_2(capfd: pytest.CaptureFixture[str]) -> None:
    assert train(Path("/proc/run"), "shaping=none") == 2
    assert "cannot be written" in capfd.readouterr().err


def test_a_directory_in_use_is_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scripts.running.run_directory._LOCK_PATIENCE", 0.0)
    other = RunDirectory.create(tmp_path / "run")
    assert train(tmp_path / "run", "shaping=none") == 2
    assert "two runs cannot share" in capfd.readouterr().err
    other.close()


def test_an_episode_transform_trains(tmp_path: Path) -> None:
    assert train(tmp_path / "run", "shaping=count", "shaping.episode.name=terminal_release", "total_timesteps=256") == 0


def start(run: Path, *settings: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "scripts.train", *SMALL, *QUIET, f"run_dir={run}", *settings]
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        wait_for(lambda: (run / "progress.csv").exists() and len(read_rows(run / "progress.csv")[1]) >= 1, process)
    except BaseException:
        process.kill()
        raise
    return process


def wait_for(condition: Any, process: subprocess.Popen[str], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_the_rollout_and_checkpoints(number: int, code: int, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start(run, "shaping=count", "total_timesteps=10000000")
    process.send_signal(number)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == code, output
    assert summary(run)["status"] == "interrupted"
    assert newest(run) == summary(run)["steps"] == int(column(run, STEPS)[-1])
    assert f"resume={run}" in output


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start(run, "shaping=none", "total_timesteps=10000000", "agent.n_epochs=1000000")
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None  # it is busy with an update that takes for ever
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert summary(run)["status"] == "interrupted"


def test_wandb_writes_offline_files_in_the_run_and_no_key_anywhere(tmp_path: Path) -> None:
    run, home = tmp_path / "run", tmp_path / "home"
    home.mkdir()
    key = "0123456789abcdef0123456789abcdef01234567"
    environment = {**os.environ, "HOME": str(home), "WANDB_MODE": "offline", "WANDB_API_KEY": key}
    command = [sys.executable, "-m", "scripts.train", *SMALL, "shaping=none", "tracking=wandb", "evaluate_episodes=0"]
    done = subprocess.run(
        [*command, f"run_dir={run}", "total_timesteps=256"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "W&B failed" not in done.stdout
    assert list((run / "wandb").glob("offline-run-*/*.wandb"))
    for path in [*tmp_path.rglob("*")]:
        if path.is_file():
            assert key.encode() not in path.read_bytes(), path


def test_a_resumed_run_is_one_wandb_run_with_every_row_once_under_the_id_that_was_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_RUN_ID", "chosen01")
    assert train(run, "shaping=none", "total_timesteps=128", "tracking=wandb") == 0
    monkeypatch.setenv("WANDB_RUN_ID", "another1")  # of the sweep's next run
    assert main([f"resume={run}", "total_timesteps=256"]) == 0
    assert (run / "wandb" / "id.txt").read_text() == "chosen01\n"
    [file] = (run / "wandb").glob("offline-run-*/*.wandb")
    assert wandb_files.run_ids(file) == {"chosen01"}
    rows = [row for row in wandb_files.history(file) if STEPS in row]
    assert [row["_step"] for row in rows] == [0, 1, 2, 3]
    assert [row[STEPS] for row in rows] == [64, 128, 192, 256]
    assert [row["rollout/ep_len_mean"] for row in rows] == pytest.approx(
        [float(value) for value in column(run, "rollout/ep_len_mean")]
    )
    assert len(list((run / "wandb").glob("superseded-offline-run-*"))) == 1


def test_wandb_is_offline_without_an_account_and_online_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    assert wandb_mode() == "offline"
    monkeypatch.setenv("WANDB_API_KEY", "key")
    assert wandb_mode() == "online"
    monkeypatch.delenv("WANDB_API_KEY")
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password key\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert wandb_mode() == "online"


def test_a_wandb_failure_warns_once_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import wandb

    def broken(**_: Any) -> None:
        raise RuntimeError("no such host")

    monkeypatch.setattr(wandb, "init", broken)
    assert train(tmp_path / "run", "shaping=none", "total_timesteps=256", "tracking=wandb") == 0
    assert capfd.readouterr().out.count("no such host") == 1


def test_a_file_dropped_into_shaping_is_an_option_with_its_own_settings(tmp_path: Path) -> None:
    copy(tmp_path, "foundation", "agents", "envs", "scripts", "shaping")
    (tmp_path / "shaping" / "haste.py").write_text(
        "import numpy as np\n"
        "from shaping.registry import register_term\n"
        "from shaping.terms import RewardTerm\n\n\n"
        "@register_term('haste')\n"
        "class Haste(RewardTerm):\n"
        '    """Every step costs."""\n\n'
        "    def __init__(self, fine: float = 0.01) -> None:\n"
        "        self.fine = fine\n\n"
        "    def __call__(self, batch):\n"
        "        return np.full(len(batch), -self.fine)\n"
    )
    run = tmp_path / "run"
    settings = ["shaping=haste", "shaping.terms.haste.fine=0.5", "shaping.terms.haste.weight=2", "total_timesteps=256"]
    python(tmp_path, "-m", "scripts.train", *SMALL, *QUIET, *settings, f"run_dir={run}")
    length = float(column(run, "rollout/ep_len_mean")[-1])
    assert float(column(run, "reward/haste")[-1]) == pytest.approx(-length, rel=1e-3)


def test_a_language_model_that_is_killed_costs_annotations_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    servers: list[EmbeddedServer] = []
    away = [False]
    start, update = EmbeddedServer._start, CalmTerm.update
    updates = itertools.count(1)

    def started(server: EmbeddedServer) -> None:
        if away[0]:
            raise Unavailable("it does not start")
        servers.append(server)
        start(server)

    def said(words: str) -> int:
        return sum("language model" in line and words in line for line in (r.getMessage() for r in caplog.records))

    def until(true: Callable[[], Any]) -> None:
        end = time.monotonic() + 60
        while not true() and time.monotonic() < end:
            time.sleep(0.05)

    def milestones(term: CalmTerm, rollout: Any) -> Any:
        """Training is faster than the model; these rollouts wait for what is to be seen."""
        match next(updates):
            case 5:
                until(lambda: term.language_model.metrics()["asked"])  # type: ignore[union-attr]
                away[0] = True
                assert servers[0].pid is not None
                os.kill(servers[0].pid, signal.SIGKILL)
            case 10:
                until(lambda: said("does not answer"))
            case 15:
                away[0] = False
            case 20:
                until(lambda: said("answers again"))
        return update(term, rollout)

    monkeypatch.setattr(EmbeddedServer, "_start", started)
    monkeypatch.setattr(CalmTerm, "update", milestones)
    calm = ["env=minihack/key_room", "shaping=calm", "shaping.terms.calm.patience=0", "shaping.terms.calm.orders=1"]
    where = [f"llm.cache={tmp_path / 'c.sqlite'}", f"run_dir={tmp_path / 'run'}"]
    rollouts = ["n_envs=8", "agent.n_steps=128", "agent.n_epochs=1"]
    assert main([*calm, *where, *QUIET, "total_timesteps=25600", *rollouts]) == 0
    assert len(servers) == 2, "it was not started again"
    assert said("does not answer") == 1
    assert said("answers again") == 1
    run = tmp_path / "run"
    assert int(column(run, STEPS)[-1]) == 25600
    answered = [float(value or 0) for value in column(run, "terms/calm/transitions_answered")]
    available = [float(value or 0) for value in column(run, "terms/calm/questions_available")]
    assert 0.0 in available
    assert available[-1] == 1.0
    assert answered[-1] > answered[available.index(0.0)]


@pytest.mark.parametrize(("asked", "most"), [((), 2), (("checkpoint_every=128",), 99)])
def test_checkpoints_that_take_long_are_few_unless_their_steps_are_given(tmp_path, monkeypatch, asked, most):
    monkeypatch.setattr(training, "CHECKPOINT_STEPS", 64)
    written = []
    save = training.Training.save

    def slow(self):
        written.append(self.model.num_timesteps)
        save(self)
        time.sleep(0.3)  # of training that is over before 0.3 / .05 s are

    monkeypatch.setattr(training.Training, "save", slow)
    assert train(tmp_path / "run", "shaping=none", "total_timesteps=640", *asked) == 0
    assert written[-1] == newest(tmp_path / "run") == 640  # the end is kept in any case
    assert len(written) <= most
    assert len(written) >= (640 // 128 if asked else 2)
