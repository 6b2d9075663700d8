"""Design a reward for a world, look at it, and write it down for the term `designed`.

python -m scripts.design_reward env=classic/room [env.kwargs.version=2021] [method=exprd] [budget=5]
    [out=outputs/design.yaml]
python -m scripts.design_reward env=classic/continuous_line_key bins=20,2 gamma=0.95
    [samples=200000] [low=0,0] [high=1,1] ...

Worlds that are a table are designed for as they are. Those of one Box are cut into bins, and the
process on these is estimated from `samples` steps that take any action as often as any other.

method= exprd: the most informative reward in budget= further states (none: in all).
        expadard: for a learner that takes any action as often as any other, with epsilon=.
        invariance: any reward of the structure that leaves the best policies the best.
        landmarks: ±pay at landmarks=9,15. pbrs: the best potential, or that of the landmarks.
Of exprd: horizons= counted= link= over= gap= l1= facility= candidates=. Of exprd, expadard and
invariance: structure=each, states, room_blocks or line_key_tree, and r_max=. gamma= is the world's
own where it has one.

Prints informativeness, invariance and states, and writes OUT (YAML, which may be edited) and its
picture beside it, OUT with .png. Train on it with:
python -m scripts.train env=... shaping=designed shaping.terms.designed.file=OUT
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from gymnasium import spaces

import envs
from foundation.checks import number, one_of, whole
from foundation.files import folder_for
from foundation.tabular_mdp import TabularMDP, solve
from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.results.reward_map import draw_map
from shaping.designed import (
    Bins,
    DesignResult,
    Measure,
    Steps,
    designed_table,
    estimated,
    expadard,
    exprd,
    informativeness,
    invariance_only,
    landmarks,
    pbrs,
    structure,
    verified,
)

MDP = "mdp"
ROWS = 64
ENV_KWARGS = "env.kwargs."
GAMMA = 0.99
PROGRAMMED = ("structure", "r_max")
OF_METHOD: Mapping[str, tuple[str, ...]] = {
    "exprd": (
        *("budget", "horizons", "counted", "link", "over", "gap", "l1", "facility", "candidates"),
        *PROGRAMMED,
    ),
    "expadard": ("epsilon", *PROGRAMMED),
    "invariance": PROGRAMMED,
    "landmarks": ("landmarks", "pay"),
    "pbrs": ("landmarks", "pay"),
}
"""Method -> the arguments that are its own."""


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments; `env.kwargs.NAME=` beside them."""

    env: str = "classic/room"
    method: str = "exprd"
    budget: int | None = 5
    horizons: tuple[int, ...] = (1, 4, 8, 16, 32)
    counted: str = "h+1"
    link: str = "hinge"
    over: str = "max"
    gap: str = "state"
    l1: float = 0.0
    facility: float = 0.0
    candidates: tuple[int, ...] = ()
    structure: str = "each"
    r_max: float | None = None
    epsilon: float = 0.4
    landmarks: tuple[int, ...] = ()
    pay: float = 1.0
    gamma: float | None = None
    bins: tuple[int, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    samples: int = 200_000
    seed: int = 0
    out: str = "outputs/design.yaml"
    kwargs: dict[str, Any] = field(default_factory=dict)


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    arguments = read(command_line)
    out = Path(arguments.out)
    if out.suffix not in (".yaml", ".yml"):
        raise ValueError(f"out={out}: the file is YAML; give a name that ends in .yaml")
    folder_for(out.parent, (out.name, out.with_suffix(".png").name))
    mdp, bins, remarks = process(arguments)
    result = design(mdp, arguments)
    designed_table(mdp, result, bins).write(out)
    picture = out.with_suffix(".png")
    shown = result.states if len(result.states) < mdp.n_states - len(mdp.absorbing) else ()
    draw_map(picture, mdp, result.rewards, shown)
    own = informativeness(mdp, mdp.rewards, measure(arguments))
    lines = [
        *remarks,
        f"informativeness   {result.informativeness:.6f} (the task's own reward: {own:.6f})",
        f"objective         {result.objective:.6g}, {result.programmes} linear programmes",
        f"invariance        {result.invariance}",
        f"states that pay   {', '.join(map(str, result.states))}",
        f"written           {out}, {picture}",
    ]
    print("\n".join(lines))


def read(command_line: Sequence[str]) -> Arguments:
    """The arguments, refused where they do not go together."""
    kwargs = {}
    rest = []
    for word in command_line:
        name, equals, text = word.partition("=")
        if equals and name.startswith(ENV_KWARGS):
            kwargs[name.removeprefix(ENV_KWARGS)] = yaml.safe_load(text)
        else:
            rest.append(word)
    if any(word.startswith("kwargs=") for word in rest):
        raise ValueError("arguments of the world are written env.kwargs.NAME=value")
    words, arguments = parse(rest, Arguments, __doc__)
    if words:
        raise ValueError(f"unknown argument {words[0]!r}; options are written name=value")
    arguments = replace(arguments, kwargs=kwargs)
    one_of("method", arguments.method, OF_METHOD)
    for name in sorted({name for names in OF_METHOD.values() for name in names} - set(OF_METHOD[arguments.method])):
        if getattr(arguments, name) != getattr(Arguments(), name):
            own = ", ".join(f"{name}=" for name in OF_METHOD[arguments.method])
            raise ValueError(f"{name}= is nothing to method={arguments.method}, which takes {own}")
    if arguments.method == "landmarks" and not arguments.landmarks:
        raise ValueError("method=landmarks: say where, such as landmarks=9,15,19,37")
    return arguments


def measure(arguments: Arguments) -> Measure:
    """What informativeness is made of."""
    options: Any = {name: getattr(arguments, name) for name in ("horizons", "counted", "link", "over", "gap")}
    return Measure(**options)


def design(mdp: TabularMDP, arguments: Arguments) -> DesignResult:
    """The design that the arguments ask for."""
    method, bound = arguments.method, arguments.r_max
    if method in ("landmarks", "pbrs"):
        rewards = landmarks(mdp, arguments.landmarks, arguments.pay) if arguments.landmarks else mdp.rewards
        if method == "pbrs":
            rewards = pbrs(mdp, solve(mdp, rewards).values)
        return verified(mdp, rewards, method, options={"landmarks": arguments.landmarks, "pay": arguments.pay})
    if method == "exprd":
        plain = arguments.structure in ("each", "states")
        return exprd(
            mdp,
            arguments.budget,
            measure=measure(arguments),
            r_max=bound,
            state_only=arguments.structure == "states",
            l1=arguments.l1,
            facility=arguments.facility,
            features=None if plain else structure(arguments.structure, mdp),
            candidates=arguments.candidates or None,
        )
    features = structure(arguments.structure, mdp)
    if method == "invariance":
        return invariance_only(mdp, features, r_max=bound)
    anything = np.full(mdp.rewards.shape, 1.0 / mdp.n_actions)
    return expadard(mdp, anything, features, r_max=bound, epsilon=arguments.epsilon)


def process(arguments: Arguments) -> tuple[TabularMDP, Bins | None, list[str]]:
    """The world's process, the bins where it is estimated on some, and what to say about it."""
    card = envs.options().get(arguments.env)
    env_id = arguments.env if card is None or card.id is None else card.id
    kwargs = {**({} if card is None else card.kwargs), **arguments.kwargs}
    if MDP in envs.describe(env_id).reports:
        if arguments.bins:
            raise ValueError(f"bins= cut observations of numbers, and {env_id} is a table already; leave them out")
        world = envs.make_vec(env_id, 1, report=[MDP], **kwargs)
        world.reset()
        mdp: TabularMDP = world.reset_infos[0][MDP]
        world.close()
        return (mdp if arguments.gamma is None else replace(mdp, gamma=arguments.gamma)), None, []
    return _estimated(env_id, kwargs, arguments)


def _estimated(env_id: str, kwargs: Mapping[str, Any], arguments: Arguments) -> tuple[TabularMDP, Bins, list[str]]:
    whole("samples", arguments.samples)
    gamma = GAMMA if arguments.gamma is None else number("gamma", arguments.gamma, least=0, most=1)
    world = envs.make_vec(env_id, ROWS, seed=arguments.seed, **kwargs)
    try:
        seen, acts = world.observation_space, world.action_space
        if not isinstance(acts, spaces.Discrete) or not isinstance(seen, spaces.Box) or len(seen.shape) != 1:
            raise ValueError(f"{env_id} has observations {seen} and actions {acts}; expected one Box and one Discrete")
        if not arguments.bins:
            raise ValueError(f"{env_id} is no table: give bins=, one number for each of {seen.shape[0]} dimensions")
        low = arguments.low or tuple(float(value) for value in seen.low)
        high = arguments.high or tuple(float(value) for value in seen.high)
        bins = Bins(low, high, arguments.bins)
        bins.cells(np.zeros((1, seen.shape[0])))
        starts: list[int] = []
        steps = _played(world, bins, -(-arguments.samples // ROWS), np.random.default_rng(arguments.seed), starts)
        estimate = estimated(bins, int(acts.n), steps, starts, gamma)
    finally:
        world.close()
    told = f"estimated         {bins.size} cells from {arguments.samples} steps; {estimate.untried} pairs never tried"
    return estimate.mdp, bins, [told]


def _played(world: Any, bins: Bins, steps: int, random: np.random.Generator, starts: list[int]) -> Iterator[Steps]:
    """Steps with any action; the cells of first states are added to `starts`."""
    observations = world.reset()
    starts.extend(bins.cells(observations).tolist())
    for _ in range(steps):
        actions = random.integers(world.action_space.n, size=world.num_envs)
        following, rewards, dones, infos = world.step(actions)
        true = following.copy()
        terminated = np.zeros(world.num_envs, bool)
        for row in np.flatnonzero(dones).tolist():
            true[row] = infos[row]["terminal_observation"]
            terminated[row] = not infos[row].get("TimeLimit.truncated", False)
        yield Steps(bins.cells(observations), actions, np.asarray(rewards, float), bins.cells(true), terminated)
        starts.extend(bins.cells(following[dones]).tolist() if dones.any() else [])
        observations = following


if __name__ == "__main__":
    run_command(main)
