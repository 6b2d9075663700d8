"""The command designs, says what came out, and writes what the term takes."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from envs.classic.room import room
from foundation.tabular_mdp import evaluate, solve
from scripts.design_reward import main, process, read
from shaping import ShapedVecEnv, make_term
from shaping.designed import informativeness, read_table


def test_a_table_is_designed_for_as_it_is_and_the_file_is_one_that_the_term_takes(tmp_path, capsys):
    out = tmp_path / "room.yaml"
    main(["env=classic/room", "env.kwargs.version=2021", "budget=1", f"out={out}"])
    said = capsys.readouterr().out
    assert "informativeness   -0.099702 (the task's own reward: -0.155733)" in said
    assert "best for the task in every state" in said
    assert "states that pay   48, 0" in said
    assert (tmp_path / "room.png").stat().st_size > 1000
    table = read_table(out)
    assert informativeness(room("2021"), table.rewards) == pytest.approx(-0.099702, abs=1e-5)
    world = envs.make_vec("TabularRoom-v0", 2, version="2021")
    ShapedVecEnv(world, {"designed": make_term("designed", file=str(out))}, gamma=0.95).reset()


@pytest.mark.parametrize(
    ("words", "method", "holds"),
    [
        (["method=landmarks", "landmarks=9,15,19,37,32"], "landmarks", False),
        (["method=pbrs", "landmarks=9,15,19,37,32"], "pbrs", True),
        (["method=pbrs"], "pbrs", True),
        (["method=expadard"], "expadard", True),
        (["method=invariance", "env.kwargs.version=2024", "structure=room_blocks"], "invariance", True),
        (["budget=none", "env.kwargs.version=2024", "structure=room_blocks", "counted=h"], "exprd", True),
    ],
)
def test_every_method_reports_whether_the_best_policy_stays_the_best(tmp_path, capsys, words, method, holds):
    out = tmp_path / "a.yaml"
    given = words if any("version" in word for word in words) else ["env.kwargs.version=2021", *words]
    main([*given, f"out={out}"])
    told = read_table(out).design
    assert told["method"] == method
    assert (told["changed"] == []) == holds
    assert ("10 states change what is best" in capsys.readouterr().out) == (not holds)


def test_a_continuous_world_is_cut_into_bins_and_what_the_estimate_says_is_best_is_good(tmp_path):
    words = ["env=classic/continuous_line_key", "bins=20,2", "gamma=0.95", "samples=60000"]
    mdp, bins, said = process(read(words))
    assert bins is not None
    assert mdp.n_states == 41
    assert "40 cells from 60000 steps" in said[0]
    policy = solve(mdp).policy
    world = envs.make_vec("ContinuousLineKey-v0", 100, seed=1, split="eval")
    seen, successes = world.reset(), []
    for _ in range(50):
        seen, _, _, infos = world.step(policy[bins.cells(seen)])
        successes += [info["is_success"] for info in infos if "is_success" in info]
    assert np.mean(successes) > 0.9
    out = tmp_path / "line.yaml"
    main([*words, "budget=1", f"out={out}"])
    table = read_table(out)
    assert table.bins == bins
    assert table.design["changed"] == []
    greedy = np.eye(3)[solve(mdp, table.rewards).policy]
    assert mdp.start @ evaluate(mdp, greedy) == pytest.approx(mdp.start @ solve(mdp).values)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["method=exprt"], "Did you mean exprd"),
        (["budjet=3"], "Did you mean budget"),
        (["kwargs=3"], "env.kwargs.NAME"),
        (["method=pbrs", "budget=3"], "budget= is nothing to method=pbrs"),
        (["method=expadard", "l1=1"], "l1= is nothing to method=expadard"),
        (["method=landmarks"], "say where"),
        (["out=a.npz"], "the file is YAML"),
        (["env=classic/room", "bins=3"], "is a table already"),
        (["env=classic/room", "env.kwargs.size=3"], "no argument 'size'"),
        (["env=classic/continuous_line_key"], "is no table: give bins="),
        (["env=classic/continuous_line_key", "bins=20"], "one of each"),
        (["env=classic/pendulum", "bins=3,3,3"], "expected one Box and one Discrete"),
        (["env=classic/mountain_car", "bins=3,3", "samples=0"], "samples=0"),
        (["env=CartPole-v1", "bins=3,3,3,3"], "bins from"),
        (["env=classic/room", "budget=60"], "budget=60 is more than"),
    ],
)
def test_what_makes_no_sense_is_refused(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        main(words)
    assert not list(tmp_path.rglob("*.yaml"))
