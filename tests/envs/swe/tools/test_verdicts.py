"""Real sandboxes say what the table says, and one that is lost is never a verdict."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from envs.catalogue import Request
from envs.swe.grading.plain_values import ExecutingJudge
from envs.swe.rules import Rules
from envs.swe.sandbox.pool import Pool
from envs.swe.sandbox.sandbox import SandboxLost
from envs.swe.task_source import sheets, tasks_of
from envs.swe.tools.sheets import Layout
from envs.swe.tools.vec_env import Tools, ToolsVecEnv
from envs.swe.tools.verdicts import PATIENCE, Executed, LookedUp

LAYOUT = Layout()
TOOLS = Tools(LAYOUT)
REPORT = ("reward_channels", "stats")


@pytest.fixture
def executed(pool, tasks_file):
    return Executed(tasks_of(tasks_file, "train"), LAYOUT, ExecutingJudge(pool))


def test_real_execution_says_what_the_table_says(executed, tasks_file):
    table = LookedUp(sheets(tasks_file, "train", LAYOUT))
    offered = sheets(tasks_file, "train", LAYOUT).offered.reshape(-1, LAYOUT.files * LAYOUT.candidates)
    tasks, places = np.nonzero(np.column_stack([np.ones(len(offered), bool), offered]))
    drawn = np.random.default_rng(0).permutation(len(tasks))[:12]
    tasks, places = tasks[drawn], places[drawn]
    assert executed.passed(tasks, places).tolist() == table.passed(tasks, places).tolist()
    assert executed.fractions(tasks, places) == pytest.approx(table.fractions(tasks, places))


class Broken(ExecutingJudge):
    """Its sandboxes are gone, every other time or always."""

    def __init__(self, pool, every):
        super().__init__(pool)
        self.asked, self.every = 0, every

    def statuses(self, task, tree, ids):
        self.asked += 1
        if self.asked % self.every == 0:
            raise SandboxLost("gone")
        return dict.fromkeys(ids, "PASSED")


def played(tasks_file, judge, turns):
    verdicts = Executed(tasks_of(tasks_file, "train"), LAYOUT, judge)
    request = Request(2, seed=1, report=REPORT)
    venv = ToolsVecEnv(sheets(tasks_file, "train", LAYOUT), LAYOUT, Rules(), request, verdicts=verdicts)
    venv.reset()
    for _ in range(turns):
        yield venv.step(np.full(2, TOOLS.test))


def test_an_episode_whose_sandbox_is_lost_is_truncated_and_not_scored(tasks_file):
    judge = Broken(Pool(lambda: None), every=2)
    _, rewards, dones, infos = next(played(tasks_file, judge, 1))
    assert dones.tolist() == [False, True]
    assert infos[0] == {"reward_channels": {"format": 0.05, "action": 0.05}}
    lost = infos[1]
    assert (lost["TimeLimit.truncated"], lost["sandbox_lost"], lost["is_success"]) == (True, True, False)
    assert "outcome" not in lost
    assert lost["reward_channels"] == {}
    assert not any(value for name, value in lost["stats"].items() if name.startswith("outcome"))
    assert rewards.tolist() == [0, 0]


def test_sandboxes_that_stay_away_end_the_run_with_what_to_do(tasks_file):
    with pytest.raises(SandboxLost, match="resume the run from its newest checkpoint"):
        for _ in played(tasks_file, Broken(Pool(lambda: None), every=1), PATIENCE):
            pass


def test_a_tool_face_in_a_sandbox_plays_as_the_one_over_the_table(tasks_file, bubblewrap_pool):
    rng = np.random.default_rng(0)
    table, real = (
        envs.make_vec("breadcrumb/SweTools-v0", 2, seed=5, report=REPORT, tasks=tasks_file, sandbox=sandbox)
        for sandbox in ("table", "bubblewrap")
    )
    assert np.array_equal(table.reset(), real.reset())
    for _ in range(40):
        actions = np.array([rng.choice(np.flatnonzero(mask)) for mask in table.action_masks()])
        first, second = table.step(actions), real.step(actions)
        assert first[0] == pytest.approx(second[0])
        assert first[1].tolist() == second[1].tolist()
        assert [info.get("outcome") for info in first[3]] == [info.get("outcome") for info in second[3]]
    real.close()


def test_a_sandbox_that_is_not_there_is_refused_at_once(tasks_file, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(ValueError, match="sandbox=docker"):
        envs.make_vec("breadcrumb/SweTools-v0", 1, tasks=tasks_file, sandbox="docker")
    with pytest.raises(ValueError, match="table, bubblewrap, docker"):
        envs.make_vec("breadcrumb/SweTools-v0", 1, tasks=tasks_file, sandbox="podman")
