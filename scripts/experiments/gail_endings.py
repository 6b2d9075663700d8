"""Rewards of imitation where the expert's episodes end with a success: signs, absorbing states."""

from scripts.experiments.claim import Comparison
from scripts.experiments.point_mass_settings import CLONED_ENDING, RECORDED_ENDING, STEPS, TOLD, ended

CLAIM = Comparison(
    title="Off-policy adversarial imitation of an expert whose episodes end",
    text=(
        "PointMass with a goal: an episode is over, and a success, 0.2 from the origin. 4 episodes of the scripted "
        "expert, one step of five kept; the other settings are those of `gail-pointmass` with four minibatches of the "
        "discriminator, and twice the steps, as on seed 300 nobody was done in as many. `minimax` pays at least 0, so "
        "that ending forgoes pay; `nonsat` at most 0; `airl` either. `-dac` pays what an absorbing state is worth at a "
        "termination and shows absorbing pairs to the discriminator, `-paper` stores them as the released code does. "
        "`constant` pays 1 a step. Success is the share of 100 episodes that reach the goal within 60 steps."
    ),
    arms={
        f"{reward}{'' if absorbing == 'none' else f'-{absorbing}'}": ended(
            f"reward={reward}", f"absorbing={absorbing}", "d_steps=4"
        )
        for reward in ("minimax", "airl", "nonsat")
        for absorbing in ("none", "dac", "paper")
    }
    | {"constant": ended("reward=constant"), "bc": CLONED_ENDING},
    total_timesteps=2 * STEPS,
    demonstrations=RECORDED_ENDING,
    told=TOLD,
    columns=("success_rate", "eval_success_rate", "task_return_mean", "eval_return_mean", *TOLD),
)
