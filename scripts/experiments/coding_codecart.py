"""CodeCart: a picture of 256 bits in one episode of the cart pole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.coding.carrying import carry
from scripts.coding.telling import Settings
from scripts.experiments.claim import Comparison
from scripts.results.comparison import Row, by_arm
from scripts.results.figures import figure, look
from scripts.running.run_directory import load_run

BITS = 256
MEASURED: Mapping[str, Settings] = {
    "": Settings(temperature=1 / 0.6),
    "_as_learned": Settings(),
    "_blocks_of_4": Settings(temperature=1 / 0.6, block=4),
    "_noise_05": Settings(temperature=1 / 0.6, noise=0.05),
    "_noise_25": Settings(temperature=1 / 0.6, noise=0.25),
}
"""What stands behind a metric's name -> what both players hold."""
_EPISODES = 20
_PPO = (
    *("env=classic/cartpole", "shaping=none", "agent=ppo", "n_envs=8", "agent.n_steps=32", "agent.batch_size=256"),
    *("agent.n_epochs=20", "agent.gae_lambda=0.8", "agent.gamma=0.98", "agent.learning_rate=0.001"),
    *("agent.learning_rate_schedule=linear", "gif=false"),
)
_SOFT = (
    *("env=classic/cartpole", "shaping=none", "agent=soft_dqn", "n_envs=4", "agent.alpha=1", "agent.net_arch=[64,64]"),
    *("agent.learning_rate=0.001", "agent.gradient_steps=8", "agent.target_update_interval=500", "gif=false"),
)


def measured(runs: Mapping[str, Path]) -> Mapping[str, Mapping[str, float | None]]:
    """Of every arm: wrong bits of messages of an episode each, and what the episodes paid."""
    return {arm: _of(path) for arm, path in runs.items()}


def _of(path: Path) -> dict[str, float | None]:
    run, found = load_run(path), dict[str, float | None]()
    for behind, settings in MEASURED.items():
        told = carry(run, settings, bits=BITS, episodes=_EPISODES, pilots=5, seed=run.config.seed)
        names = ("wrong_bits", "exact", "return_mean", "capacity_mean")
        found |= {f"told_{name}{behind}": told[name] for name in names}
    return found


def draw(rows: Sequence[Row], path: Path) -> None:
    """Wrong bits against what the policy carries: every seed a dot, arms in colours."""
    with figure(path, 1, 2, 4.6, 3.6) as (_, panels):
        for axes, behind, title in zip(panels, ("", "_noise_05"), ("sure actions", "one of twenty fails"), strict=True):
            for index, (arm, arm_rows) in enumerate(by_arm(rows).items()):
                x = [float(row.metrics[f"told_capacity_mean{behind}"] or 0) for row in arm_rows]
                y = [float(row.metrics[f"told_wrong_bits{behind}"] or 0) for row in arm_rows]
                axes.scatter(x, y, s=34, color=look(index)["color"], alpha=0.8, label=arm)
            axes.axvline(BITS, color="#333840", linewidth=0.8, linestyle=":")
            axes.set_title(title)
            axes.set_xlabel("bits of entropy in an episode")
            axes.set_ylabel(f"wrong bits of {BITS}")
        panels[0].legend()


CLAIM = Comparison(
    title="Coding games: a picture of 256 bits in one episode of the cart pole",
    text=(
        f"CodeCart: random pictures of 16 × 16 bits, each in one episode of the cart pole, {_EPISODES} of evaluation's "
        "episodes a run; `told wrong bits` is the mean, `exact` the share of pictures without one. `entropy-0.3`, "
        "`entropy-0.1` and `entropy-0` are PPO with that weight of the entropy, `soft-dqn` soft Q-learning with a "
        "temperature of 1; nobody was told of messages. Sender and receiver play π^0.6 (`as learned`: π) and hold 32 "
        "blocks of 8 bits (`blocks of 4`: 64 of 4). With `noise` an action fails that often, and both reckon with it. "
        "`capacity` is the policy's entropy over an episode, in bits. Settings were looked at on seed 300."
    ),
    arms={
        **{f"entropy-{weight}": (*_PPO, f"agent.ent_coef={weight}") for weight in ("0.3", "0.1", "0")},
        "soft-dqn": _SOFT,
    },
    total_timesteps=60_000,
    metric="task_return_mean",
    together=measured,
    draw=draw,
    picture="wrong bits and what a policy carries; a dot is a seed",
    columns=(
        *("eval_return_mean", "told_return_mean", "told_capacity_mean", "told_wrong_bits", "told_exact"),
        *("told_wrong_bits_as_learned", "told_wrong_bits_blocks_of_4", "told_wrong_bits_noise_05"),
        *("told_return_mean_noise_05", "told_wrong_bits_noise_25", "told_return_mean_noise_25"),
    ),
)
