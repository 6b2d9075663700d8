"""A rollout that a term scores again has other rewards and returns when the agent learns."""

from __future__ import annotations

import numpy as np
import pytest
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from agents import ShapingCallback
from shaping import ShapedVecEnv, make_term, transforms
from tests.shaping.test_oni import Scripted
from tests.shaping.worlds import corridors


def relabelled(algorithm, policy, **arguments):
    """An agent after a rollout with answers at its end: rewards as stored and as wanted."""
    answered = [False]
    annotator = Scripted(lambda messages: [1.0 if answered[0] else -1.0 for _ in messages])
    annotator.known, annotator.workers = lambda message: 1.0 if answered[0] else None, 0
    term = make_term("oni", annotator=annotator, relabel=True, beta=1.0)
    venv = ShapedVecEnv(corridors(2, length=4, limit=5), {"oni": term}, gamma=0.9)
    seen = {"paid": [], "messages": [], "rewards": None}

    class Look(BaseCallback):
        def _on_step(self):
            seen["messages"].append([info["message"] for info in self.locals["infos"]])
            seen["paid"].append(self.locals["rewards"].copy())
            return True

        def _on_rollout_end(self):
            buffer = self.model.rollout_buffer
            seen["before"], seen["returns_before"] = buffer.rewards.copy(), buffer.returns.copy()
            answered[0] = True
            for message in {m for row in seen["messages"] for m in row if m}:
                term.labels.add(message, 1.0)
            term._values.clear()

    class After(BaseCallback):
        def _on_step(self):
            return True

        def _on_rollout_end(self):
            buffer = self.model.rollout_buffer
            seen["after"], seen["returns"] = buffer.rewards.copy(), buffer.returns.copy()
            seen["starts"] = buffer.episode_starts.copy()

    model = algorithm(policy, venv, n_steps=20, batch_size=40, n_epochs=1, seed=0, gamma=0.9, **arguments)
    model.learn(40, callback=[Look(), ShapingCallback(venv), After()])
    return seen


@pytest.mark.parametrize(("algorithm", "policy"), [(PPO, "MlpPolicy"), (RecurrentPPO, "MlpLstmPolicy")])
def test_a_rollout_scored_again_has_the_new_rewards_and_returns(algorithm, policy):
    seen = relabelled(algorithm, policy, gae_lambda=1.0)
    said = np.array(seen["messages"]) != ""
    added = seen["after"] - seen["before"]
    assert said.any()
    assert not added[~said].any()
    assert {round(1 / delta) for delta in added[said].tolist()} <= {1, 2, 3, 4, 5}
    # with lambda = 1 a return is the discounted sum of what follows in the episode; the last step's
    # holds the value of the observation after it, which SB3 had right
    follows = 0.9 * (1 - seen["starts"][1:]) * seen["returns"][1:]
    assert seen["returns"][:-1] == pytest.approx(seen["after"][:-1] + follows, abs=1e-5)
    assert seen["returns"][-1] - seen["returns_before"][-1] == pytest.approx(added[-1], abs=1e-5)


def test_scoring_again_is_refused_where_it_cannot_be_right():
    term = make_term("oni", annotator="rules", relabel=True)
    with pytest.raises(ValueError, match="transformed"):
        ShapedVecEnv(
            corridors(1), {"oni": term}, transforms={"oni": [transforms.registry.make("running_normalise")]}, gamma=0.9
        )
