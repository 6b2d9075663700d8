"""The half cheetah whose control cost is a channel; played only where MuJoCo is installed."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

import envs
from envs.mujoco import family
from scripts.train import main

ID = "breadcrumb/SplitHalfCheetah-v0"


def test_without_mujoco_it_is_refused_with_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setattr(family, "find_spec", lambda name: None)
    assert ID in envs.env_ids()
    assert envs.describe(ID).reports == {"reward_channels"}
    with pytest.raises(ValueError, match="make setup EXTRAS=mujoco"):
        envs.make_vec("SplitHalfCheetah-v0", 1)
    names = "shaping.terms.channels.names=[control]"
    assert main(["env=custom", f"env.id={ID}", "shaping=channels", names, "agent=barfi/half_cheetah"]) == 2
    assert "needs MuJoCo" in capsys.readouterr().err


@pytest.mark.skipif(find_spec("mujoco") is None, reason="mujoco is not installed")
def test_forward_and_control_are_told_apart():
    venv = envs.make_vec(ID, 1, seed=0, report=("reward_channels",))
    venv.reset()
    for _ in range(3):
        action = np.full((1, 6), 0.5, np.float32)
        _, rewards, _, infos = venv.step(action)
        assert rewards[0] == pytest.approx(infos[0]["reward_forward"], rel=1e-5)
        assert infos[0]["reward_channels"]["control"] == pytest.approx(-1.5)
    venv.close()
