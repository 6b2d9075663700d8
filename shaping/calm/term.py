"""CALM: pays for subgoals that a language model names and recognises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from foundation.checks import number, one_of, whole
from shaping.calm import subgoals as files
from shaping.calm.detectors import Detector, Noisy, RandomDetector, SymbolicDetector, model_detector
from shaping.calm.prompts import FORMS, REQUIRES
from shaping.calm.subgoals import Subgoal
from shaping.llm import LanguageModel, LanguageModelError, patient
from shaping.registry import register_term
from shaping.terms import Array, BoolArray, FloatArray, Info, Observations, RewardTerm, Rollout, Setting, Transitions

MODES = ("once", "repeat", "ordered", "pbrs", "pbrs_shift")
DETECTORS = ("model", "distilled", "symbolic", "random")
FILE = "subgoals.yaml"


@register_term("calm")
class CalmTerm(RewardTerm):
    """Pays for achieved subgoals: CALM (Pignatelli et al. 2024, arXiv 2409.12798).

    A language model splits the task into subgoals and judges which of them a transition achieves;
    each achievement ends an option and is paid. With Ach the subgoals achieved in this episode and
    m_k = 1 where k is achieved now,

        once         Σ w_k m_k [k ∉ Ach]                         the default
        repeat       Σ w_k m_k                                   the abstract's; may be farmed
        ordered      as once, but only the next subgoal counts
        pbrs         γ Φ(Ach') − Φ(Ach), Φ(Ach) = Σ_{k∈Ach} w_k  leaves the best policies the best
        pbrs_shift   the same with Φ(Ach) = −Σ_{k∉Ach} w_k

    In the last two Φ is 0 after termination and stays what it is after truncation, where the agent
    goes on with V(s'); keep
    weight · Σ w_k below 1, or the step that ends the task looks bad. What was achieved is
    published, so that the shaped problem stays Markov.

    Args:
        task: the task in words, for source="discovered".
        subgoals: text -> name of the event that is true exactly then, "" for none.
        source: "given" takes `subgoals`; "discovered" has the language model split `task`, once a
            run.
        file: a file of subgoals, in the format of RUN/terms/calm/subgoals.yaml; comes before both.
            A resumed run reads its own RUN/terms/calm/subgoals.yaml, whatever it began with.
        detector: "model" asks about every different transition, in the background; "distilled"
            decides by a classifier that learns from the answers; "symbolic" reads events; "random"
            is for comparison.
        mode: see above.
        form: what the model is shown: "caption", "crop", "map", "map_message".
        orders: in how many orders the model is shown its examples; scores are the mean.
        publish: "achieved" bits, the "current" subgoal (the first that is not achieved, one-hot),
            or "nothing".
        patience: seconds in all that steps may wait for answers, while the first transitions are
            met; then answers come in the background. 0 never waits; inf always does, so that a run
            with a filled cache and one without are the same.
        random_rate: probability of a yes, for detector="random".
        false_positives, false_negatives: probabilities of mistakes added to the detector's answers.
        language_model: whom to ask; scripts.train makes it of the group llm.

    Raises:
        ValueError: at construction or `bind`, for what cannot work.
    """

    card = {"task": "task", "subgoals": "subgoals"}
    reads_rollout = False

    def __init__(
        self,
        task: str = "",
        subgoals: Mapping[str, str] | None = None,
        source: Literal["given", "discovered"] = "given",
        file: str | None = None,
        detector: Literal["model", "distilled", "symbolic", "random"] = "model",
        mode: Literal["once", "repeat", "ordered", "pbrs", "pbrs_shift"] = "once",
        form: Literal["caption", "crop", "map", "map_message"] = "caption",
        orders: int = 5,
        publish: Literal["achieved", "current", "nothing"] = "achieved",
        patience: float = 60.0,
        random_rate: float = 0.05,
        false_positives: float = 0.0,
        false_negatives: float = 0.0,
        language_model: LanguageModel | None = None,
    ) -> None:
        self.task = task
        self.source = one_of("source", source, ("given", "discovered"))
        self.detector_name = one_of("detector", detector, DETECTORS)
        self.mode = one_of("mode", mode, MODES)
        self.form = one_of("form", form, FORMS)
        self.orders = whole("orders", orders)
        self.publish = one_of("publish", publish, ("achieved", "current", "nothing"))
        self.patience = patient(patience)
        self.random_rate = number("random_rate", random_rate, least=0, most=1)
        self.mistakes = (
            number("false_positives", false_positives, least=0, most=1),
            number("false_negatives", false_negatives, least=0, most=1),
        )
        self.language_model = language_model
        self._given = dict(subgoals or {})
        self.subgoals: list[Subgoal] = []
        if file is not None:
            self.subgoals = files.read(Path(file))
        elif source == "given":
            self.subgoals = files.given(self._given)
        elif not task.strip():
            raise ValueError("source=discovered needs the task in words; give task=, or subgoals with source=given")
        if detector == "symbolic":
            self.requires = frozenset({"events"})
        elif detector in ("model", "distilled"):
            self.requires = REQUIRES[form]
        self._settle_events()

    def take_up(self, folder: Path) -> None:
        """The run's own file, where there is one: it may have been edited since."""
        if (folder / FILE).is_file():
            self.subgoals = files.reread(folder / FILE, len(self.subgoals) or None)
            self._settle_events()

    def bind(self, setting: Setting) -> None:
        self._folder = setting.folder
        if setting.folder is not None:
            self.take_up(setting.folder)
        if not self.subgoals:
            self._discover()
        n, k = setting.n_envs, len(self.subgoals)
        self._weights = np.array([subgoal.weight for subgoal in self.subgoals])
        self._setting = setting
        self.achieved = np.zeros((n, k), dtype=bool)
        self._counts = np.zeros(k, np.int64)
        self._transitions = 0
        self.detector = self._detector(setting)
        if self.publish != "nothing":
            self.observation_space = spaces.Box(0.0, 1.0, (k,), np.float32)

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:
        self._write_subgoals()
        self.achieved[mask] = False
        self.detector.reset(infos, mask)

    def __call__(self, batch: Transitions) -> FloatArray:
        rewards = np.zeros(len(batch))
        self._transitions += len(batch)
        shaped = self.mode in ("pbrs", "pbrs_shift")
        if shaped:
            before = self._potential()
        for row, columns in self.detector(batch):
            achieved = self.achieved[row]
            for column in columns:
                if self.mode == "ordered" and not achieved[:column].all():
                    break
                new = not achieved[column]
                self._counts[column] += new
                if new or self.mode == "repeat":
                    rewards[row] += self._weights[column]
                achieved[column] = True
        if not shaped:
            return rewards
        after = self._potential()
        after[self._setting.no_more(batch.terminated, batch.truncated)] = 0.0
        return np.asarray(self._setting.gamma * after - before)

    def observe(self) -> Array:
        if self.publish == "achieved":
            return self.achieved.astype(np.float32)
        current = np.zeros(self.achieved.shape, np.float32)
        rows = np.flatnonzero(~self.achieved.all(axis=1))
        current[rows, (~self.achieved[rows]).argmax(axis=1)] = 1.0
        return current

    def update(self, rollout: Rollout) -> Mapping[str, float]:
        metrics = dict(self.detector.update())
        per = 1000.0 / max(1, self._transitions)
        metrics |= {
            f"achieved_per_1000_{subgoal.name}": float(count) * per
            for subgoal, count in zip(self.subgoals, self._counts, strict=True)
        }
        self._counts[:] = 0
        self._transitions = 0
        return metrics

    def state_dict(self) -> dict[str, Any]:
        return {
            "subgoals": [subgoal.text for subgoal in self.subgoals],
            "achieved": self.achieved.copy(),
            "detector": self.detector.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if len(state["subgoals"]) != len(self.subgoals):
            raise ValueError(
                f"this state is of {len(state['subgoals'])} subgoals, there are {len(self.subgoals)} now; texts may "
                "change in a run, their number may not, because the agent sees one bit for each"
            )
        if state["achieved"].shape == self.achieved.shape:
            self.achieved = np.array(state["achieved"])
        self.detector.load_state_dict(state["detector"])

    def closing_remark(self) -> str | None:
        return self.detector.closing_remark()

    def close(self) -> None:
        if hasattr(self, "detector"):
            self.detector.close()
        if self.language_model is not None:
            self.language_model.close()

    def _potential(self) -> FloatArray:
        value = self.achieved @ self._weights
        return np.asarray(value - self._weights.sum() if self.mode == "pbrs_shift" else value, np.float64)

    def _settle_events(self) -> None:
        """Refuses subgoals without an event now, not an hour into training."""
        if self.detector_name == "symbolic":
            SymbolicDetector(self.subgoals)
            self.event_names = tuple(dict.fromkeys(subgoal.event for subgoal in self.subgoals if subgoal.event))

    def _discover(self) -> None:
        if self.language_model is None:
            raise ValueError("source=discovered asks a language model, and there is none: give language_model=")
        try:
            self.subgoals = files.discovered(self.language_model, self.task, self._given)
        except LanguageModelError as error:
            raise ValueError(
                f"the language model did not split the task into subgoals ({error}); give them with source=given "
                "or file="
            ) from error

    def _write_subgoals(self) -> None:
        if self._folder is not None and not (self._folder / FILE).exists():
            source = self.source
            if self.source == "discovered" and self.language_model is not None:
                source = f"discovered by {self.language_model.identity}"
            files.write(self._folder / FILE, self.subgoals, self.task, source)

    def _detector(self, setting: Setting) -> Detector:
        k, n = len(self.subgoals), setting.n_envs
        detector: Detector
        if self.detector_name == "symbolic":
            detector = SymbolicDetector(self.subgoals)
        elif self.detector_name == "random":
            detector = RandomDetector(k, self.random_rate, setting.seed)
        else:
            detector = model_detector(
                self.language_model,
                self.subgoals,
                self.form,
                self.orders,
                n,
                distil=self.detector_name == "distilled",
                patience=self.patience,
                seed=setting.seed,
            )
        return Noisy(detector, k, *self.mistakes, setting.seed) if any(self.mistakes) else detector
