"""How fast rlgym 2 steps a match on its own RocketSim engine: for `scripts.benchmark rocket`.

Runs in a Python of its own, as rlgym wants a numpy that this project does not have, and imports
nothing of ours:

    PYTHON -m pip install "rlgym-rocket-league[sim]"==2.0.1
    PYTHON scripts/benchmarks/rlgym_speed.py CARS

reads numbers of steps from standard input and answers each with the environment steps a second of
that many.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np


class NoReward:
    """Costs nothing. It has what rlgym's RewardFunction asks for, without importing rlgym."""

    def reset(self, agents: Any, initial_state: Any, shared_info: Any) -> None:
        pass

    def get_rewards(self, agents: Any, state: Any, is_terminated: Any, is_truncated: Any, shared_info: Any) -> Any:
        return dict.fromkeys(agents, 0.0)


def match(cars: int) -> Any:
    """A match of `cars` against as many on rlgym's own engine, from a kickoff on."""
    from rlgym.api import RLGym
    from rlgym.rocket_league.action_parsers import LookupTableAction, RepeatAction
    from rlgym.rocket_league.done_conditions import (
        AnyCondition,
        GoalCondition,
        NoTouchTimeoutCondition,
        TimeoutCondition,
    )
    from rlgym.rocket_league.obs_builders import DefaultObs
    from rlgym.rocket_league.sim import RocketSimEngine
    from rlgym.rocket_league.state_mutators import FixedTeamSizeMutator, KickoffMutator, MutatorSequence

    return RLGym(
        state_mutator=MutatorSequence(FixedTeamSizeMutator(cars, cars), KickoffMutator()),
        obs_builder=DefaultObs(zero_padding=None),
        action_parser=RepeatAction(LookupTableAction(), repeats=8),
        reward_fn=NoReward(),
        transition_engine=RocketSimEngine(),
        termination_cond=GoalCondition(),
        truncation_cond=AnyCondition(TimeoutCondition(300.0), NoTouchTimeoutCondition(45.0)),
    )


def main(cars: int) -> None:
    """Answer until the input ends."""
    env, random = match(cars), np.random.default_rng(0)
    env.reset()
    print("ready", flush=True)
    for line in sys.stdin:
        steps = int(line)
        chosen = random.integers(90, size=(steps, 2 * cars, 1))
        start = time.perf_counter()
        for actions in chosen:
            _, _, terminated, truncated = env.step(dict(zip(env.agents, actions, strict=True)))
            if any(terminated.values()) or any(truncated.values()):
                env.reset()
        print(steps / (time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
