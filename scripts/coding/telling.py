"""A message in the play of a run: sent over as many episodes as it takes, and read back.

Sender and receiver feed one `Codec` each with the same: what the run's policy gives each action in
what was seen, and what was done. The belief goes on from episode to episode until it holds the
message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

import envs
from agents import ActionProbabilities
from agents.coding import Agreement, Blocks, Capacity, Codec, FactoredBelief, Grid, entropy, must_match
from agents.coding.masses import TOTAL
from foundation.checks import number, whole
from foundation.demonstrations import Demonstrations, Header, arrays_beside
from foundation.files import folder_for, replace_json
from scripts.coding.course import MOST_LOOKS, Course, draw_course, write_play
from scripts.coding.stage import Play, Stage, View, at
from scripts.running.run_directory import Run

VERSION = 1
"""Of how a message is told; players with another do not understand each other."""
AGREEMENT, MASKS = "agreement", "masks"
PRECISE_TOLERANCE = 1e-9
_LARGEST = 1 << 16


@dataclass(frozen=True)
class Settings:
    """What sender and receiver must share, beside the run.

    Attributes:
        temperature: of the policy; see `agents.ActionProbabilities`.
        block: bits of a block of the message.
        levels: of the grid that policies are rounded to.
        coupling, noise, rate, encoder: see `agents.coding.Codec`.
    """

    temperature: float = 1.0
    block: int = 8
    levels: int = 1024
    coupling: str = "greedy"
    noise: float = 0.0
    rate: float | None = None
    encoder: str = "ebim"

    def codec(self, blocks: Blocks, impossible: str = "raise") -> Codec:
        """A player's, before anything is known; `impossible` as `Codec` has it.

        Raises:
            ValueError: settings out of bounds.
        """
        return Codec(
            FactoredBelief(blocks.sizes),
            grid=Grid(self.levels),
            coupling=self.coupling,
            noise=self.noise,
            rate=self.rate,
            encoder=self.encoder,
            impossible=impossible,
        )


class NotSent(ValueError):
    """The message did not fit the episodes that were played, against what pilots promised."""


def send(
    run: Run,
    content: bytes,
    settings: Settings,
    out: Path,
    *,
    seed: int = 0,
    episodes: int = 100,
    pilots: int = 5,
    tolerance: float | None = None,
    gif: bool = True,
) -> dict[str, Any]:
    """Play a run's agent so that its actions tell `content`, and write what was played.

    Args:
        run: whose agent plays, on evaluation's seeds.
        content: any bytes, at least one, up to 64 KiB.
        settings: both players'.
        out: a file ending in .npz: a file of demonstrations with the agreement beside them. Next to
            it, under the same name, .json (what is returned), .png (the belief over time), .gif.
        seed: of episodes and draws.
        episodes: at most so many are played.
        pilots: episodes that are played first, to know how much one carries.
        tolerance: an episode in which a probability comes closer to a boundary of the grid is
            played again; None: 1e-9 where the policy is computed in float64, else 0.
        gif: write the play.

    Returns:
        `bits`, `content_bytes`, `episodes`, `steps`, `bits_per_step`, `bits_per_episode`,
        `returns`, `return_mean`, `pilot_return_mean`, `capacity_mean` (bits of an episode),
        `margin`, `played_again`, `files`.

    Raises:
        ValueError: no content, settings out of bounds, an agent whose actions have no probability
            each, or a name that is none; nothing was played then.
        agents.coding.TooLittleCapacity: more episodes than `episodes` would be needed; says how
            many, before any is sent.
        NotSent: more were needed.
    """
    whole("episodes", episodes)
    whole("pilots", pilots)
    if out.suffix != ".npz":
        raise ValueError(f"out={out}: what is played goes into a file that ends in .npz")
    if not 1 <= len(content) <= _LARGEST:
        raise ValueError(f"the message has {len(content)} bytes; expected 1 to {_LARGEST}")
    folder = folder_for(out.parent, (out.name,))
    blocks = blocks_for(len(content), settings.block)
    codec = settings.codec(blocks)
    digits = blocks.digits(blocks.from_bytes(content)[0])
    model = run.load_agent()
    probabilities = run.agent.action_probabilities(model, settings.temperature)
    if tolerance is None:
        tolerance = PRECISE_TOLERANCE if probabilities.precise else 0.0
    number("tolerance", tolerance, least=0.0)
    generator = np.random.default_rng([seed, VERSION])
    with one_thread():
        stage = Stage(run, model, probabilities, seed, pictures=gif)
        try:
            header = _header(run, stage, model, seed)
            piloted, capacity, steps = pilot(stage, codec.grid, pilots, generator)
            capacity.must_fit(codec.entropy, episodes)
            looks = codec.entropy / capacity.mean * steps / MOST_LOOKS
            watch = _Watch(digits, codec.entropy, every=max(1, round(looks)))
            played = _tell(stage, codec, watch, episodes, tolerance, settings.noise, generator)
        finally:
            stage.close()
    agreement = agreement_of(run, model, probabilities, settings, blocks)
    play, course = played.play, played.course
    play.demonstrations(header).save(out, beside=_beside(agreement, play))
    told: dict[str, Any] = {
        "bits": blocks.bits,
        "content_bytes": len(content),
        "episodes": len(play.episodes),
        "steps": len(play.steps),
        "bits_per_step": blocks.bits / len(play.steps),
        "bits_per_episode": blocks.bits / len(play.episodes),
        "returns": play.returns,
        "return_mean": float(np.mean(play.returns)),
        "pilot_return_mean": float(np.mean(piloted)),
        "capacity_mean": capacity.mean,
        "margin": played.margin,
        "played_again": played.again,
    }
    files = [out.name, out.with_suffix(".png").name]
    title = f"{blocks.bits} bits in {len(play.episodes)} episodes of {run.config.env.id.rpartition('/')[2]}"
    draw_course(folder / out.with_suffix(".png").name, course, title)
    if gif:
        frames = envs.trim(run.config.env.id, [frame for episode in play.frames for frame in episode])
        text = settings.block == 8 and all(32 <= byte < 127 for byte in content)
        shown = course.of_blocks(slice(len(blocks.sizes) - len(content), None)) if text else course
        write_play(folder / out.with_suffix(".gif").name, frames, shown, text)
        files.append(out.with_suffix(".gif").name)
    told |= {"files": files}
    replace_json(folder / out.with_suffix(".json").name, told)
    return told


def receive(path: Path, run: Run, given: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """What a sender told by its play.

    Args:
        path: what `send` wrote.
        run: the sender's, or a copy.
        given: settings that this player insists on; the others are the sender's.

    Returns:
        The content, and `episodes`, `steps`, `bits_left`.

    Raises:
        ValueError: no such file.
        agents.coding.Disagreement: weights, settings or version are not the sender's; says which.
        agents.coding.Corrupted: what came is not what was sent.
    """
    play = Demonstrations.load(path)
    beside = arrays_beside(path, (AGREEMENT, MASKS))
    if AGREEMENT not in beside:
        raise ValueError(f"{path} holds demonstrations, and no message: it has no agreement. scripts.send writes one")
    theirs = Agreement(json.loads(bytes(beside[AGREEMENT]).decode()))
    names = {entry.name for entry in fields(Settings)}
    settings = Settings(**({name: theirs.terms[name] for name in names & set(theirs.terms)} | dict(given)))
    blocks = Blocks(tuple(theirs.terms["blocks"]))
    model = run.load_agent()
    probabilities = run.agent.action_probabilities(model, settings.temperature)
    must_match(agreement_of(run, model, probabilities, settings, blocks), theirs)
    codec = settings.codec(blocks)
    starts = set(play.episode_starts.tolist())
    with one_thread():
        for step, action in enumerate(play.actions.tolist()):
            if step in starts:
                probabilities.begin()
            mask = beside[MASKS][step] if MASKS in beside else None
            codec.update(probabilities(at(play.observations, step), mask), action, mask)
    content = blocks.to_bytes([codec.decode()])
    return content, {"episodes": len(starts), "steps": len(play), "bits_left": codec.entropy}


def blocks_for(length: int, block: int) -> Blocks:
    """Blocks that a content of so many bytes fits exactly, its header included.

    Raises:
        ValueError: a block of less than 1 bit or more than 20.
    """
    whole("block", block, most=20)
    return Blocks.of_bits(8 * Blocks.of_bits(8).messages_for(length), block)


def agreement_of(
    run: Run, model: Any, probabilities: ActionProbabilities, settings: Settings, blocks: Blocks
) -> Agreement:
    """All that two players must share."""
    return Agreement(
        {
            **asdict(settings),
            "blocks": blocks.sizes,
            "prior": "uniform",
            "weights": _weights_of(model),
            "agent": run.choices["agent"],
            "environment": run.config.env.id,
            "precise": probabilities.precise,
            "version": VERSION,
        }
    )


def pilot(
    stage: Stage, grid: Grid, episodes: int, generator: np.random.Generator
) -> tuple[list[float], Capacity, float]:
    """Returns of some episodes without a message, what they carry, and the mean of their steps."""
    returns, entropies = [], []
    for _ in range(episodes):
        stage.begin()
        bits, over = [], False
        while not over:
            view = stage.view()
            weights = grid.weights(view.probabilities)
            bits.append(entropy(weights))
            over = stage.step(view, int(generator.choice(len(weights), p=weights / weights.sum())))
        returns.append(sum(step.reward for step in stage.steps))
        entropies.append(np.array(bits))
    return returns, Capacity.of(entropies), float(np.mean([len(bits) for bits in entropies]))


@dataclass(frozen=True)
class _Played:
    play: Play
    course: Course
    margin: float
    again: int


def _tell(
    stage: Stage, codec: Codec, watch: _Watch, episodes: int, tolerance: float, noise: float,
    generator: np.random.Generator,
) -> _Played:  # fmt: skip
    """Episodes until a receiver has it."""
    play, digits, again, begun = Play(), watch.digits, 0, 0
    while len(play.episodes) + again < episodes:
        before, watched = codec.copy(), len(watch.left)
        stage.begin()
        over = False
        while not over:
            view = stage.view()
            action = executed(codec.choose(digits, view.probabilities, generator, view.mask), view, noise, generator)
            now = begun + len(stage.steps)
            over = stage.step(view, action, shown=now % watch.every == 0)
            codec.update(view.probabilities, action, view.mask)
            if now % watch.every == 0:
                watch.look(codec, now)
        if not codec.certain(tolerance):
            codec, again = before, again + 1
            watch.forget(watched)
            continue
        play.episodes.append(stage.steps)
        play.frames.append(stage.frames)
        begun += len(stage.steps)
        if codec.decode_digits() == digits:
            rewards = np.array([step.reward for step in play.steps])
            if watch.steps[-1] < begun - 1:
                watch.look(codec, begun - 1)
                play.frames.append([frame for episode in play.frames for frame in episode][-1:])
            return _Played(play, watch.course(rewards, play.starts), codec.margin, again)
    raise NotSent(
        f"after {episodes} episodes ({again} of them too close to the grid's boundaries to count) {codec.entropy:.0f} "
        f"of {codec.belief.blocks.bits} bits are not told yet: give more with episodes=, or a higher temperature="
    )


def executed(action: int, view: View, noise: float, generator: np.random.Generator) -> int:
    """What an actuator makes of an action, that fails by chance."""
    if noise and generator.random() < noise:
        valid = view.probabilities > 0 if view.mask is None else view.mask
        return int(generator.choice(np.flatnonzero(valid)))
    return action


class _Watch:
    """How the belief in a message runs, looked at after one of `every` steps and after the last."""

    def __init__(self, digits: tuple[int, ...], bits: float, every: int) -> None:
        self.digits, self.every, self._bits = digits, every, bits
        self._rows: list[Any] = [None] * len(digits)
        self._sure = np.zeros(len(digits), np.float32)
        self._guess = np.zeros(len(digits), np.int64)
        self.steps: list[int] = []
        self.certainty: list[Any] = []
        self.guesses: list[Any] = []
        self.left: list[float] = []

    def look(self, codec: Codec, step: int) -> None:
        """After a step."""
        belief: Any = codec.belief
        for block, digit in enumerate(self.digits):
            row = belief.masses(block)
            if row is not self._rows[block]:
                self._rows[block] = row
                self._sure[block], self._guess[block] = row[digit] / TOTAL, int(row.argmax())
        self.steps.append(step)
        self.certainty.append(self._sure.copy())
        self.guesses.append(self._guess.copy())
        self.left.append(codec.entropy)

    def forget(self, since: int) -> None:
        """What was seen from a look on."""
        del self.steps[since:], self.certainty[since:], self.guesses[since:], self.left[since:]

    def course(self, rewards: Any, starts: Any) -> Course:
        certainty, guesses = np.stack(self.certainty), np.stack(self.guesses)
        return Course(np.array(self.steps), certainty, guesses, np.array(self.left), self._bits, rewards, starts)


def _beside(agreement: Agreement, play: Play) -> dict[str, Any]:
    text = json.dumps(dict(agreement.terms), allow_nan=False)
    arrays = {AGREEMENT: np.frombuffer(text.encode(), np.uint8)}
    masks = [step.mask for step in play.steps]
    return arrays | ({MASKS: np.stack(masks)} if masks[0] is not None else {})  # type: ignore[arg-type]


def _header(run: Run, stage: Stage, model: Any, seed: int) -> Header:
    source = f"{run.choices['agent']} after {int(model.num_timesteps)} steps, telling a message"
    spaces = stage.venv.observation_space, stage.venv.action_space
    return Header.of(run.config.env.id, *spaces, env_kwargs=dict(run.config.env.kwargs), source=source, seed=seed)


def _weights_of(model: Any) -> str:
    """A SHA-256 of the policy's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.policy.state_dict().items()):
        array = tensor.detach().cpu().numpy()
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class one_thread:
    """One of torch's threads: sums come out the same everywhere."""

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._before)
