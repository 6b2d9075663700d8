"""Random search: linear policies around the best of an archive, each scored by an episode."""

from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from agents.agent import Agent, AgentConfig, register
from agents.algorithm import Algorithm

ARCHIVE = "archive.npz"


@dataclass
class RandomSearchConfig(AgentConfig):
    """Random search over linear policies, with an archive of the best."""

    sigma: float = 0.5  # standard deviation of the noise around the best
    kept: int = 8  # policies in the archive

    bounds = {"sigma": {"above": 0.0}, "kept": {"least": 1.0}}


class RandomSearch(Algorithm):
    """Every environment plays one candidate for an episode; the archive keeps the best so far."""

    def setup(self):
        if not hasattr(self, "weights"):
            self.weights = np.zeros((1, self.observation_space.shape[0], self.action_space.n))
            self.scores = np.full(1, -np.inf)

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return (observation @ self.weights[0]).argmax(-1), state

    def collect(self, callback):
        self._last_obs = self.env.reset()
        shape = (self.env.num_envs, *self.weights[0].shape)
        self.candidates = self.weights[0] + self.sigma * self.random.standard_normal(shape)
        self.sums, running = np.zeros(len(self.candidates)), np.ones(len(self.candidates), bool)
        while running.any():
            played = self.step(np.einsum("no,noa->na", self._last_obs, self.candidates).argmax(-1), callback)
            if played is None:
                return False
            self.sums += played[1] * running
            running &= ~played[2]
        return True

    def train(self):
        weights, scores = np.concatenate([self.weights, self.candidates]), np.concatenate([self.scores, self.sums])
        best = np.argsort(-scores, kind="stable")[: self.kept]
        self.weights, self.scores = weights[best], scores[best]
        self.logger.record("train/best_score", float(self.scores[0]))

    def _excluded_save_params(self):
        return [*super()._excluded_save_params(), "weights", "scores", "candidates", "sums"]


@register("random_search")
class RandomSearchAgent(Agent):
    config = RandomSearchConfig
    actions = (spaces.Discrete,)

    def make(self, env, config, *, seed, threads=1):
        return RandomSearch(env, seed=seed, sigma=config.sigma, kept=config.kept)

    def save(self, model, folder):
        super().save(model, folder)
        np.savez(folder / ARCHIVE, weights=model.weights, scores=model.scores)

    def load(self, folder, env, config, *, threads=1, trust=False):
        model = RandomSearch.load(folder / "agent.zip", env=env, trust=trust)
        with np.load(folder / ARCHIVE) as archive:
            model.weights, model.scores = archive["weights"], archive["scores"]
        return model
