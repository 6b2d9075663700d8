"""BARFI: rounds of whole episodes, outer steps on the blend, inner steps on the policy.

Source: Gupta et al. 2023, "Behavior Alignment via Reward Function Optimization" (NeurIPS).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.callbacks import BaseCallback

from agents.algorithm import Algorithm
from agents.behaviour_alignment.actors import Gaussian, Softmax
from agents.behaviour_alignment.features import (
    Fourier,
    OneHot,
    RandomReLU,
    StateFeatures,
    Tiles,
    WithBias,
    bounds,
    kind_for,
    random_weights,
)
from agents.behaviour_alignment.objectives import (
    OWN,
    TASK,
    Array,
    Curvature,
    FloatArray,
    InnerStep,
    Steps,
    alignment_reward,
    clipped,
    discounted_to_go,
    head_values,
    heads_gradient,
    policy_gradient,
    potential_shaped,
    returns_gradient,
    solved_direction,
    temporal_differences,
    unrolled_pull,
)
from agents.behaviour_alignment.optimisers import Ascent, fresh_state
from agents.behaviour_alignment.replay import EpisodeReplay, IntArray

ENTRY, TASK_SIGNAL = "reward_terms", "task"
VANISHED = 0.02
"""Shares of the largest entropy, and of the returns' size, below which both count as gone."""
ROUNDS_VANISHED = 20


class BARFI(Algorithm):
    """Learns a blend r_φ = φ1(s) + φ2(s)·task + Σ φ3_i(s)·signal_i and a discount γ_ϕ.

    A round is `delta` episodes. Then φ and ϕ take a step that makes the policy which they lead to
    better at the task, and the policy takes steps on r_φ and γ_ϕ over episodes of the replay.

    Args:
        settings: every entry of `BARFIConfig` by name, `horizon` a number.
    """

    settings: dict[str, Any]

    def setup(self) -> None:
        given, space = self.settings, self.observation_space
        if isinstance(self.action_space, spaces.Box):
            self.actor: Softmax | Gaussian = Gaussian(self.action_space, given["action_std"])
        else:
            assert isinstance(self.action_space, spaces.Discrete)
            self.actor = Softmax(self.action_space)
        kind = kind_for(space, given["features"], given["ranges"], given["order"])
        new = not hasattr(self, "theta")
        if new and kind == "random_relu":
            assert isinstance(space, spaces.Box)
            self.random_layer: FloatArray = random_weights(space, given["width"], self.random)
        self.features = WithBias(self._features(kind))
        self.looks = self.features if given["heads"] == "state" else WithBias(None)
        if new:
            shape = (self.actor.outputs, self.features.width)
            self.theta: FloatArray = self.random.uniform(-1.0, 1.0, shape) / math.sqrt(self.features.width)
            self.critic: FloatArray = np.zeros(self.features.width)
            gamma = min(max(given["gamma"], 1e-12), 1.0 - 1e-12)
            self.logit = math.log(gamma / (1.0 - gamma))
            self.signals: list[str] = []
            """What is blended, the task's reward first; known after the first step."""
            self.heads: FloatArray = np.zeros((0, self.looks.width))
            self.optimised = {"theta": fresh_state(shape), "critic": fresh_state(self.critic.shape)}
            self.baselines: dict[str, float] = {}
            self.updates = 0
            self.vanished = 0
            self.warning: str | None = None
        self.replay: EpisodeReplay | None = None
        """Made with the first step, or by who loads a model to go on with it."""
        if self.signals:
            self._make_ascents()
        if self.num_timesteps and self._last_obs is None:
            self._last_obs = np.zeros(0)  # rounds reset the environments; SB3 would do so once more before the first

    def _features(self, kind: str) -> StateFeatures:
        given, space = self.settings, self.observation_space
        if kind == "one_hot":
            assert isinstance(space, spaces.Discrete)
            return OneHot(space)
        if kind == "random_relu":
            return RandomReLU(self.random_layer)
        assert isinstance(space, spaces.Box)
        low, high = bounds(space, given["ranges"])
        if kind == "fourier":
            return Fourier(low, high, given["order"])
        return Tiles(low, high, given["tilings"], given["tiles"])

    def _make_ascents(self) -> None:
        given = self.settings
        rates = {
            "theta": given["learning_rate"],
            "critic": given["learning_rate_critic"],
            "heads": given["learning_rate_heads"],
            "logit": given["learning_rate_discount"],
        }
        self.ascents = {name: Ascent(given["optimiser"], rates[name], self.optimised[name]) for name in rates}

    def make_replay(self) -> EpisodeReplay:
        """An empty replay of this place's episodes."""
        given, space = self.settings, self.observation_space
        observation = np.zeros(space.shape or (), space.dtype)
        continuous = isinstance(self.action_space, spaces.Box)
        action = np.zeros(self.actor.outputs) if continuous else np.zeros((), np.int64)
        return EpisodeReplay(given["buffer"], given["horizon"], observation, action, self.signals)

    def _begin(self, info: Mapping[str, Any]) -> None:
        """What is blended is known: the first step's entries."""
        entries = _entries(info)
        self.signals = [TASK_SIGNAL, *(name for name in entries if name != TASK_SIGNAL)]
        shape = (len(self.signals) + 1, self.looks.width)
        start = self.settings["start"]
        if start in ("naive", "task"):
            self.heads = np.tile(self.looks.constant, (shape[0], 1))
            self.heads[OWN] = 0.0
            self.heads[TASK + 1 :] *= start == "naive"
        else:
            self.heads = self.random.uniform(-1.0, 1.0, shape) / math.sqrt(self.looks.width)
        self.optimised |= {"heads": fresh_state(shape), "logit": fresh_state(())}
        self._make_ascents()
        self.replay = self.make_replay()

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "actor", "features", "looks", "ascents", "replay"]

    # Playing --------------------------------------------------------------------------------------

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Array, Any]:
        """SB3's `predict`: sampled actions, or the likeliest."""
        seen = np.asarray(observation)
        alone = seen.shape == (self.observation_space.shape or ())
        outputs = self._outputs(seen[None] if alone else seen)
        actions = self.actor.likeliest(outputs) if deterministic else self.actor.sample(outputs, np.random)
        actions = self._playable(actions)
        return (actions[0] if alone else actions), state

    def probabilities(self, observations: Array) -> FloatArray:
        """π(a|s), (n, actions).

        Raises:
            ValueError: actions are continuous.
        """
        if not isinstance(self.actor, Softmax):
            raise ValueError(f"actions are {self.action_space}, and only one discrete action has a probability each")
        return self.actor.probabilities(self._outputs(observations))

    def factors(self, observations: Array) -> dict[str, FloatArray]:
        """The blend's factors in states (n, ...): "own" is φ1, "task" φ2, each signal's its φ3."""
        if not self.signals:
            return {}
        values = head_values(self.heads, self.looks(observations), self.settings["learn_task_head"])
        return {name: values[:, column].copy() for column, name in enumerate(self._columns)}

    @property
    def discount(self) -> float:
        """γ_ϕ, of the inner problem."""
        learned = self.settings["blend"] == "learned" and self.settings["learn_discount"]
        return 1.0 / (1.0 + math.exp(-self.logit)) if learned else float(self.settings["gamma"])

    @property
    def _columns(self) -> list[str]:
        return ["own", *self.signals]

    def _outputs(self, observations: Array) -> FloatArray:
        outputs: FloatArray = self.features(observations) @ self.theta.T
        return outputs

    def _playable(self, actions: Array) -> Array:
        space = self.action_space
        if not isinstance(space, spaces.Box):
            return actions
        bounded = actions.reshape(len(actions), *space.shape)
        return np.clip(bounded, space.low, space.high).astype(space.dtype)

    # A round --------------------------------------------------------------------------------------

    def collect(self, callback: BaseCallback) -> bool:
        """Play `delta` episodes, each environment as many as was fixed before the first step.

        Whoever takes the first that end takes the short ones.
        """
        assert self.env is not None
        n = self.env.num_envs
        left = [(self.settings["delta"] + row) // n for row in range(n)][::-1]
        episodes: list[tuple[list[Any], list[Any], list[Any]]] = [([], [], []) for _ in left]
        observations: Any = self.env.reset()
        while any(left):
            actions = self.actor.sample(self._outputs(observations), self.random)
            stepped = self.step(self._playable(actions), callback)
            if stepped is None:
                return False
            following, _, dones, infos = stepped
            if self.replay is None:
                self._begin(infos[0])
            assert self.replay is not None
            for row, info in enumerate(infos):
                if not left[row]:
                    continue
                seen, done, paid = episodes[row]
                seen.append(observations[row])
                done.append(actions[row])
                paid.append(self._signals_of(info))
                if dones[row]:
                    self.replay.add(seen, done, paid)
                    episodes[row] = ([], [], [])
                    left[row] -= 1
            observations = following
        return True

    def _signals_of(self, info: Mapping[str, Any]) -> list[float]:
        entries = _entries(info)
        if len(entries) != len(self.signals):
            raise ValueError(
                f"info[{ENTRY!r}] names {', '.join(entries)}, and at the first step it was {', '.join(self.signals)}"
            )
        try:
            return [entries[name] for name in self.signals]
        except KeyError as error:
            raise ValueError(
                f"info[{ENTRY!r}] has no {error}, which the first step had: {', '.join(self.signals)}"
            ) from error

    def train(self) -> None:
        """A round's learning: an outer step, then inner steps, in the published code's order."""
        assert self.replay is not None
        given, replay = self.settings, self.replay
        newest = replay.newest(given["delta"])
        inner = given["delta"] * given["inner_mul"]
        if not given["replay"]:
            if given["blend"] == "learned":
                self.outer_step(newest)
            self.inner_step(newest)
        elif self._is_warming():
            if given["warm"] == "naive":
                self.inner_step(newest, naive=True)
        elif self.updates == 0 and given["burst"] and given["blend"] in ("learned", "frozen"):
            self.inner_steps(given["warm_start"] + inner)
        else:
            if given["blend"] == "learned":
                self.outer_step(newest)
            self.inner_steps(inner)
        self._record(newest)

    def _is_warming(self) -> bool:
        """While the published code learns from the plain sum, or waits."""
        assert self.replay is not None
        given, played = self.settings, self.replay.added
        if self.updates or given["blend"] not in ("learned", "frozen"):
            return False
        if given["warm"] == "nothing":
            return bool(played < given["warm_start"])
        return bool(played <= given["warm_start"] + given["inner_mul"])

    # The inner problem ----------------------------------------------------------------------------

    def _steps(self, rows: IntArray) -> Steps:
        assert self.replay is not None
        observations, actions, rewards, ends = self.replay.steps(rows)
        features = self.features(observations)
        looked_at = features if self.looks is self.features else self.looks(observations)
        blended = np.concatenate([np.ones((len(rewards), 1)), rewards], axis=1)
        return Steps(features, actions, blended, looked_at, ends, len(rows) * (self.settings["horizon"] + 1))

    def _rewards(self, steps: Steps, naive: bool = False) -> FloatArray:
        """What the inner problem is paid, (N,)."""
        blend = "naive" if naive else self.settings["blend"]
        task: FloatArray = steps.blended[:, TASK]
        signals: FloatArray = steps.blended[:, TASK + 1 :].sum(axis=1)
        if blend == "primary":
            return task
        if blend == "naive":
            return task + signals
        if blend == "pbrs":
            return potential_shaped(task, signals, steps.ends, self.discount)
        return alignment_reward(self.heads, steps, self.settings["learn_task_head"])

    def _inner_weights(self, steps: Steps, rewards: FloatArray, keep: bool) -> tuple[FloatArray, float]:
        """What log-probabilities are weighted with, (N,), and what they were divided by.

        Args:
            steps, rewards: of the episodes.
            keep: take them into the running baseline.
        """
        if self.settings["lower"] == "actor_critic":
            weights = temporal_differences(rewards, steps.features @ self.critic, steps.ends, self.discount)
        else:
            weights = discounted_to_go(rewards, steps.ends, self.discount)
            weights = weights - self._baseline("inner", weights, keep)
        scale = float(weights.std()) + 1e-8 if self.settings["normalise_returns"] else 1.0
        return weights / scale, scale

    def _baseline(self, which: str, returns: FloatArray, keep: bool = True) -> float:
        """The running mean of returns, as it was before these."""
        decay, mean = self.settings[f"{which}_baseline"], float(returns.mean())
        if not decay:
            return 0.0
        before = self.baselines.get(which, mean)
        if keep:
            self.baselines[which] = decay * before + (1.0 - decay) * mean
        return before

    def inner_steps(self, count: int) -> None:
        for _ in range(count):
            self.inner_step(self._sampled())
        self.updates += 1

    def _sampled(self, rows: IntArray | None = None) -> IntArray:
        """The rows of a batch of random episodes, of all or of these."""
        assert self.replay is not None
        there = len(self.replay) if rows is None else len(rows)
        batch = min(self.settings["batch"], there)
        drawn = self.random.integers(there, size=1) if batch == 1 else self.random.permutation(there)[:batch]
        return drawn if rows is None else rows[drawn]

    def inner_step(self, rows: IntArray, naive: bool = False) -> None:
        """One step of the policy, and of the critic, on these episodes."""
        steps = self._steps(rows)
        rewards = self._rewards(steps, naive)
        weights, _ = self._inner_weights(steps, rewards, keep=True)
        gradient = policy_gradient(self.actor, self.theta, steps, weights, self.settings["lambda_pi"])
        self._finite("the policy's gradient", gradient)
        self.theta = self.theta + self.ascents["theta"].step(clipped(gradient, self.settings["max_grad_norm"]))
        self._finite("the policy", self.theta)
        if self.settings["lower"] == "actor_critic":
            errors = temporal_differences(rewards, steps.features @ self.critic, steps.ends, self.discount)
            rise = errors @ steps.features / steps.slots
            self.critic = self.critic + self.ascents["critic"].step(clipped(rise, self.settings["max_grad_norm"]))
            self._finite("the critic", self.critic)

    # The outer problem ----------------------------------------------------------------------------

    def outer_step(self, newest: IntArray) -> None:
        """One step of heads and discount, on episodes that the policy as it is has just played."""
        assert self.replay is not None
        given, earlier = self.settings, self.replay.before(self.settings["delta"])
        if not len(earlier):
            return
        steps = self._steps(newest)
        returns = discounted_to_go(steps.blended[:, TASK].copy(), steps.ends, given["gamma"])
        returns = returns - self._baseline("outer", returns)
        if given["hypergradient"] == "unrolled":
            theta, inner = self._imagined_burst(earlier)
            v = policy_gradient(self.actor, theta, steps, returns)
            heads, logit, q = unrolled_pull(v, inner)
        else:
            v = policy_gradient(self.actor, self.theta, steps, returns)
            count = min(given["outer_batches"] * given["batch"], len(earlier))
            curvature, pull = self._inner_problem(self.theta, earlier[self.random.permutation(len(earlier))[:count]])
            q = solved_direction(
                v,
                curvature,
                given["hypergradient"],
                eta=given["eta"],
                n_terms=given["n_terms"],
                damping=given["damping"],
            )
            heads, logit = pull(q)
        self._finite("the outer gradient v", v)
        self._finite("the solved direction q", q)
        self._ascend(heads, logit)
        self.logger.record_mean("train/direction_norm", float(np.linalg.norm(v)))
        self.logger.record_mean("train/hypergradient_norm", float(np.linalg.norm(q)))
        self._watch(steps, returns, v)

    def _inner_problem(self, theta: FloatArray, rows: IntArray) -> tuple[Curvature, Any]:
        """H and q -> qᵀ ∂Δ/∂(heads, logit) of the inner problem at a policy, on these episodes."""
        steps = self._steps(rows)
        rewards = self._rewards(steps)
        weights, scale = self._inner_weights(steps, rewards, keep=False)
        curvature = Curvature(self.actor, theta, steps, weights, self.settings["lambda_pi"])
        gamma = self.discount

        def pull(q: FloatArray) -> tuple[FloatArray, float]:
            rises = curvature.rises(q) / scale
            if self.settings["lower"] == "actor_critic":
                values = steps.features @ self.critic
                by_reward = rises
                by_gamma = float(rises @ (potential_shaped(np.zeros(len(values)), values, steps.ends, 1.0) + values))
            else:
                by_reward, by_gamma = returns_gradient(rises, rewards, steps.ends, gamma)
            heads = heads_gradient(by_reward, steps, self.settings["learn_task_head"])
            return heads, by_gamma * gamma * (1.0 - gamma)

        return curvature, pull

    def _imagined_burst(self, rows: IntArray) -> tuple[FloatArray, list[InnerStep]]:
        """A burst of inner steps from here that is not kept: where it ends, and what it did."""
        given, theta, ascent = self.settings, self.theta, self.ascents["theta"].copy()
        taken = []
        for _ in range(given["delta"] * given["inner_mul"]):
            batch = self._sampled(rows)
            curvature, pull = self._inner_problem(theta, batch)
            steps = self._steps(batch)
            weights, _ = self._inner_weights(steps, self._rewards(steps), keep=False)
            gradient = policy_gradient(self.actor, theta, steps, weights, given["lambda_pi"])
            bounded = clipped(gradient, given["max_grad_norm"])
            rate = ascent.rates(bounded)
            taken.append(InnerStep(curvature, gradient, rate, given["max_grad_norm"], pull))
            theta = theta + rate * bounded
        return theta, taken

    def _ascend(self, heads: FloatArray, logit: float) -> None:
        """Move heads and discount along the hypergradient, less what they cost."""
        given = self.settings
        if given["lambda_r"]:
            lengths = np.linalg.norm(self.heads, axis=1, keepdims=True)
            cost = given["lambda_r"] * self.heads / np.maximum(lengths, 1e-12)
            if not given["learn_task_head"]:
                cost[TASK] = 0.0
            heads = heads - cost
        gamma = self.discount
        logit -= given["lambda_gamma"] * gamma * (1.0 - gamma)
        self._finite("the hypergradient of the heads", heads)
        self._finite("the hypergradient of the discount", np.array(logit))
        together = clipped(np.append(heads.ravel(), logit), given["max_grad_norm"])
        self.heads = self.heads + self.ascents["heads"].step(together[:-1].reshape(heads.shape))
        self._finite("the heads", self.heads)
        if given["learn_discount"]:
            self.logit += float(self.ascents["logit"].step(together[-1]))
            self._finite("the discount's logit", np.array(self.logit))

    # What is told ---------------------------------------------------------------------------------

    def _watch(self, steps: Steps, returns: FloatArray, v: FloatArray) -> None:
        """Say once when nothing varies any more: neither what is done nor what is learned."""
        if not isinstance(self.actor, Softmax):
            return
        entropy = float(self.actor.entropies(steps.features @ self.theta.T).mean())
        size = float(np.abs(returns).sum()) / steps.slots
        still = entropy < VANISHED * math.log(self.actor.outputs) and float(np.linalg.norm(v)) <= VANISHED * size
        self.vanished = self.vanished + 1 if still else 0
        if self.vanished == ROUNDS_VANISHED and self.warning is None:
            assert self.replay is not None
            got = float(steps.blended[:, TASK].sum()) / self.settings["delta"]
            self.warning = (
                f"from step {self.num_timesteps} on the policy hardly varied (entropy {entropy:.1e}) and the task's "
                f"gradient was gone, at a task return of {got:.4g}. If that is not as good as it gets, the policy has "
                "saturated at a wrong place, which the blend cannot undo: give a smaller agent.learning_rate or a "
                "larger agent.lambda_pi"
            )
            print(f"WARNING: barfi: {self.warning}", flush=True)

    def _record(self, newest: IntArray) -> None:
        steps = self._steps(newest)
        record, episodes = self.logger.record_mean, len(newest)
        rewards = self._rewards(steps)
        record("train/discount", self.discount)
        record("train/entropy", float(self.actor.entropies(steps.features @ self.theta.T).mean()))
        record("train/task_return", float(steps.blended[:, TASK].sum()) / episodes)
        record("train/blended_return", float(rewards.sum()) / episodes)
        if self.settings["blend"] not in ("learned", "frozen"):
            return
        values = head_values(self.heads, steps.looked_at, self.settings["learn_task_head"])
        paid = np.abs(values * steps.blended).sum(axis=0)
        total = max(float(paid.sum()), 1e-12)
        for column, name in enumerate(self._columns):
            record(f"train/head_{name}", float(values[:, column].mean()))
            record(f"train/share_{name}", float(paid[column]) / total)

    def _finite(self, name: str, array: Any) -> None:
        """Raises FloatingPointError where a tensor holds NaN or infinity, and names it."""
        if not np.isfinite(array).all():
            raise FloatingPointError(
                f"{name} holds NaN or infinity in round {self.updates + 1}: give smaller learning rates, "
                "agent.max_grad_norm=1, agent.normalise_returns=true, or terms of a smaller weight"
            )


def _entries(info: Mapping[str, Any]) -> Mapping[str, float]:
    entries = info.get(ENTRY)
    if not isinstance(entries, Mapping) or TASK_SIGNAL not in entries:
        raise ValueError(
            f"a step's info has no {ENTRY!r} with {TASK_SIGNAL!r} in it, and that is what agent=barfi blends: put the "
            "environments into shaping.ShapedVecEnv, the outermost wrapper"
        )
    return entries
