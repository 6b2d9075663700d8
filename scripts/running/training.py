"""The training loop around `learn`: checkpoints, metrics, signals, resume, summary.

The consistent moment is a rollout's start: what was collected has been learned from, and nothing
new has begun.
"""

from __future__ import annotations

import contextlib
import random
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList

from foundation.plain_state import write_state
from scripts.configuration.groups import RunConfig
from scripts.configuration.store import settings, to_container
from scripts.running.checkpoints import STATE_FILE, write_checkpoint
from scripts.running.console import ConsoleProgress
from scripts.running.experiment import Experiment, assemble
from scripts.running.finished_episodes import WINDOW, FinishedEpisodes, told
from scripts.running.losses import Losses
from scripts.running.progress_csv import EPISODES, SECONDS
from scripts.running.run_directory import (
    Run,
    RunDirectory,
    RunDirectoryError,
    load_run,
    newest_checkpoint,
    read_configuration,
    refuse_unusable,
)
from scripts.running.tracking import make_logger
from scripts.running.trust import refuse_untrusted
from shaping import ShapedVecEnv

_RESEED = 1_000_003  # far from every seed that make_vec gives an environment without a state of its own

CHECKPOINT_STEPS = 10_000
CHECKPOINT_SHARE = 0.05
"""Where `checkpoint_every` is not given: steps between checkpoints, and the share of time that they
may take; what was learned in milliseconds is soon learned again."""

EXIT_CODES = {"finished": 0, "failed": 1, "interrupted": 130}


def begin(experiment: Experiment) -> Training:
    """The first session of a new run; nothing is learned yet.

    Raises:
        ValueError, RunDirectoryError: the run cannot start, with the reason.
    """
    config, choices = experiment.config, experiment.choices
    path = Path(config.run_dir) if config.run_dir is not None else _free_name(config, choices)
    refuse_unusable(path)
    total = config.total_timesteps if config.total_timesteps is not None else config.env.total_timesteps
    experiment.config = config = replace(config, total_timesteps=total, run_dir=str(path))
    with _deaf_to_interrupts():
        env = experiment.build_env()
    try:
        model = experiment.make_agent(env)
        directory = RunDirectory.create(path)
    except BaseException:
        env.close()
        raise
    directory.write_configuration(config, choices)
    return Training(directory, experiment, env, model)


def go_on(path: Path, total_timesteps: int | None = None, *, trust: bool = False) -> Training:
    """The next session of a run, from its newest checkpoint, or from step 0 where it has none.

    Args:
        path: the run directory.
        total_timesteps: environment steps of the whole run, where other than it says.
        trust: see `load_run`. The run counts as made here from then on.

    Raises:
        Untrusted: reading it would run what it says, and it is not trusted.
        ValueError, RunDirectoryError: the run cannot go on, with the reason.
    """
    config, choices = read_configuration(path)
    before = config.total_timesteps
    refuse_untrusted(path, config, trust=trust)
    if total_timesteps is not None:
        checkpoint = newest_checkpoint(path)
        if checkpoint is not None and total_timesteps < checkpoint.steps:
            raise ValueError(
                f"total_timesteps={total_timesteps}: {path} has {checkpoint.steps} steps already. Give more, or leave "
                "total_timesteps out."
            )
        config = replace(config, total_timesteps=total_timesteps)
    directory = RunDirectory.open(path)
    try:
        run = load_run(path, trust=trust) if any((path / "checkpoints").glob("step_*")) else None
        if run is None:
            print(f"{path} was stopped before its first checkpoint: it starts at step 0", flush=True)
        experiment = assemble(replace(config, run_dir=str(path)), choices)
        _tell_new_course(experiment, before, 0 if run is None else run.checkpoint.steps)
        with _deaf_to_interrupts():
            env = experiment.build_env()
        try:
            if run is None:
                model = experiment.make_agent(env)
            else:
                model = experiment.load_agent(run.checkpoint.path, env, trust=trust)
            training = Training(directory, experiment, env, model, run)
        except BaseException:
            env.close()
            raise
        directory.write_configuration(experiment.config, choices)
        return training
    except BaseException:
        directory.close()
        raise


def _tell_new_course(experiment: Experiment, before: int | None, steps: int) -> None:
    """Say which settings jump, because they are spread over a run that is now longer or shorter."""
    now = experiment.config.total_timesteps
    changing = experiment.agent.over_the_run(experiment.settings)
    if steps and changing and now != before:
        print(
            f"{' and '.join(changing)} go over total_timesteps: from here as at step {steps:,} of {now:,}, not of "
            f"{before:,}",
            flush=True,
        )


def _free_name(config: RunConfig, choices: Mapping[str, str]) -> Path:
    parts = [choices["env"], choices["shaping"], choices["agent"], f"s{config.seed}", time.strftime("%Y%m%d-%H%M%S")]
    name = "-".join(parts).replace("/", "-")
    path, number = Path("runs") / name, 1
    while path.exists():
        number += 1
        path = Path("runs") / f"{name}-{number}"
    return path


class Training:
    """One session of a run: from its start or a checkpoint to its end, a stop or a failure."""

    def __init__(
        self,
        directory: RunDirectory,
        experiment: Experiment,
        env: ShapedVecEnv,
        model: BaseAlgorithm,
        resumed: Run | None = None,
    ) -> None:
        assert experiment.config.total_timesteps is not None
        self.directory = directory
        self.experiment = experiment
        self.config, self.choices = experiment.config, experiment.choices
        self.agent = experiment.agent
        self.env = env
        self.model = model
        self.total = experiment.config.total_timesteps
        self.row_every = self.agent.row_every(experiment.settings)
        self.statistics: deque[dict[str, float]] = deque(maxlen=WINDOW)  # of the last episodes, where they are told
        self.elapsed = 0.0  # seconds of training before this session
        self.interrupted_by: int | None = None
        self._resumed = resumed
        self._session_start = time.monotonic()
        self._error: str | None = None
        self.losses = Losses()
        self.episodes = FinishedEpisodes(self.config.stop_at_success)
        self.logger: Any = None  # until it runs
        self._remarks: dict[str, str] = {}  # of parts of the reward, at the end

    def run(self, finish: Callable[[Path, RunConfig], Sequence[Path]] | None = None) -> int:
        """Learn until the end. Writes summary.json whatever happens; returns the exit code.

        Args:
            finish: what follows in a run that was trained whole: its directory and configuration ->
                the pictures that it made there, for W&B.
        """
        try:
            code = self._run()
            if code == 0 and finish is not None:
                self.logger.pictures(self.directory.path, finish(self.directory.path, self.config))
            return code
        finally:
            if self.logger is not None:
                self.logger.close()

    def _run(self) -> int:
        resumed = self._resumed
        state = {} if resumed is None else resumed.state()
        print(f"run directory: {self.directory.path}", flush=True)
        logger = self.logger = make_logger(
            self.directory.path,
            settings(self.config.tracking),
            config=to_container(self.config),
            losses=self.losses,
            resume_from=None if resumed is None else resumed.checkpoint.steps,
            progress=state.get("progress"),
        )
        self.model.set_logger(logger)
        if resumed is not None:
            self._restore(state, resumed.checkpoint.steps)
        self._session_start = time.monotonic()
        self._write_summary("running")
        boundary = Boundary(self)
        callbacks: list[BaseCallback] = [self.experiment.shaping_callback(self.model, self.env), boundary]
        status = "failed"
        try:
            with self._signals():
                status = self._learn(boundary, CallbackList(callbacks))
        finally:
            boundary.console.close()
            with contextlib.suppress(Exception):  # whatever they say, the summary is written
                self._remarks = self.env.closing_remarks()
            with contextlib.suppress(Exception):
                remark = self.agent.closing_remark(self.model)
                self._remarks |= {} if remark is None else {f"agent={self.choices['agent']}": remark}
            with contextlib.suppress(Exception):
                self.agent.close(self.model)
            self._close_env()
            for table in sorted(self.directory.path.glob("terms/*/messages.csv")):
                logger.table(f"messages/{table.parent.name}", table)
            logger.close_files()
            if self.losses.lost and status == "finished":
                self._error = self.losses.told()
            self._write_summary(status)
            self.directory.close()
        for part, remark in self._remarks.items():
            print(f"WARNING: {part}: {remark}", flush=True)
        if status == "failed":
            print(f"error: {self._error}\n  the whole story: {self.directory.path / 'error.txt'}", flush=True)
        elif status == "interrupted":
            print(f"interrupted; go on with: python -m scripts.train resume={self.directory.path}", flush=True)
            return 128 + (self.interrupted_by or signal.SIGINT)
        elif self.losses.lost:
            print(
                f"error: every step was trained, but not everything was written: {self.losses.told()}\n"
                f"  Make room, and go on from the newest checkpoint: python -m scripts.train "
                f"resume={self.directory.path}",
                flush=True,
            )
            return EXIT_CODES["failed"]
        return EXIT_CODES[status]

    def _close_env(self) -> None:
        """Close the environments; parts of the reward write their last files."""
        try:
            self.env.close()
        except OSError as error:
            self.losses.note("terms", error)
        except Exception:  # a worker that died cannot be closed
            return

    def _learn(self, boundary: Boundary, callback: BaseCallback) -> str:
        remaining = self.total - self.model.num_timesteps
        try:
            if remaining > 0:
                # where a rollout is shorter than a row, Boundary writes the rows
                interval: Any = 1 if self.row_every is None else None
                self.model.learn(remaining, callback=callback, log_interval=interval, reset_num_timesteps=False)
            boundary.finish()
        except _Skilled:
            boundary.finish()
        except _StopTraining:
            self.save()
            return "interrupted"
        except KeyboardInterrupt:
            return "interrupted"
        except Exception as error:
            self._error = f"{type(error).__name__}: {error}"
            with contextlib.suppress(OSError):
                (self.directory.path / "error.txt").write_text(traceback.format_exc())
            if boundary.weights_are_whole:
                self.model.num_timesteps = boundary.step
                self.save()
            return "failed"
        return "finished"

    # Checkpoints ----------------------------------------------------------------------------------

    @property
    def seconds(self) -> float:
        """Seconds of training, over all sessions."""
        return self.elapsed + time.monotonic() - self._session_start

    def save(self) -> None:
        """Write a checkpoint of weights that are finite; a failure is said and training goes on."""
        model = self.model
        broken = not_finite(model)
        if broken is not None:
            print(f"no checkpoint at {model.num_timesteps} steps: {broken} holds NaN or infinity", flush=True)
            return

        def write(folder: Path) -> None:
            self.agent.save(model, folder)
            write_state(self.state_dict(), folder / STATE_FILE)

        self.logger.progress.sync()  # rows up to here are on the disk before the checkpoint that counts on them
        folder, keep = self.directory.path / "checkpoints", self.config.keep_checkpoints
        self.losses.attempt("checkpoint", lambda: write_checkpoint(folder, model.num_timesteps, write, keep))

    def refuse_broken_weights(self) -> None:
        """Raises FloatingPointError where learning has spoilt the agent for good."""
        broken = not_finite(self.model)
        if broken is not None:
            raise FloatingPointError(
                f"learning gave NaN or infinity in {broken}; the newest checkpoint is from before. Start anew with a "
                "smaller agent.learning_rate, larger minibatches, or rewards that are clipped"
            )

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resume needs beside the agent's own file."""
        source, logger = self.env.unwrapped, self.model.logger
        return {
            "shaping": self.env.state_dict(),
            "env": source.state_dict() if hasattr(source, "state_dict") else None,
            "random": {
                "python": random.getstate(),
                "numpy": np.random.get_state(),  # noqa: NPY002 - SB3 draws from it
                "torch": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
                "actions": self.model.action_space.np_random.bit_generator.state,
            },
            "logger": {
                "values": dict(logger.name_to_value),
                "counts": dict(logger.name_to_count),
                "excluded": dict(logger.name_to_excluded),
            },
            "episodes": list(self.model.ep_info_buffer or []),
            "successes": list(self.model.ep_success_buffer or []),
            "statistics": list(self.statistics),
            "seconds": self.seconds,
            "finished_episodes": self.episodes.state_dict(),
            "progress": self.logger.progress.state_dict(),
        }

    def _restore(self, state: Mapping[str, Any], steps: int) -> None:
        model, source = self.model, self.env.unwrapped
        if state["env"] is not None:
            source.load_state_dict(state["env"])  # type: ignore[attr-defined]
        else:  # no state of its own: at least no episode that was played before
            self.env.seed((self.config.seed + _RESEED + steps) % 2**31)
        self.env.load_state_dict(state["shaping"])
        if model.ep_info_buffer is not None and model.ep_success_buffer is not None:
            model.ep_info_buffer.clear()
            model.ep_info_buffer.extend(state["episodes"])
            model.ep_success_buffer.clear()
            model.ep_success_buffer.extend(state["successes"])
        model.logger.name_to_value.update(state["logger"]["values"])
        model.logger.name_to_count.update(state["logger"]["counts"])
        model.logger.name_to_excluded.update(state["logger"]["excluded"])
        self.statistics.extend(state.get("statistics", ()))
        if "finished_episodes" in state:  # runs of earlier versions did not count
            self.episodes.load_state_dict(state["finished_episodes"])
        self.elapsed = float(state["seconds"])
        drawn = state["random"]
        random.setstate(drawn["python"])
        np.random.set_state(drawn["numpy"])  # noqa: NPY002
        torch.set_rng_state(drawn["torch"])
        if drawn["cuda"] and len(drawn["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(drawn["cuda"])
        model.action_space.np_random.bit_generator.state = drawn["actions"]

    # Summary and signals --------------------------------------------------------------------------

    def task_return(self) -> float | None:
        """Mean task return over the last 100 episodes; None before the first."""
        episodes = self.model.ep_info_buffer
        return float(np.mean([episode["r"] for episode in episodes])) if episodes else None

    def success_rate(self) -> float | None:
        """Share of the last 100 episodes that succeeded; None where the task knows no success."""
        return float(np.mean(self.model.ep_success_buffer)) if self.model.ep_success_buffer else None

    def statistics_means(self) -> dict[str, float]:
        """Means of the environment's own statistics over the last 100 episodes, if it has any."""
        names = self.statistics[0] if self.statistics else ()
        return {name: float(np.mean([episode[name] for episode in self.statistics])) for name in names}

    def _write_summary(self, status: str) -> None:
        steps, seconds = self.model.num_timesteps, self.seconds
        summary: dict[str, Any] = {
            "status": status,
            "steps": steps,
            "seconds": round(seconds, 3),
            "steps_per_second": round(steps / seconds, 3) if seconds > 0 else 0.0,
            "task_return_mean": self.task_return(),
            "success_rate": self.success_rate(),
            **{f"stats_{name}": round(value, 4) for name, value in self.statistics_means().items()},
            "episodes": self.episodes.count,
            **({} if self.config.stop_at_success is None else {"reached": self.episodes.reached}),
            "seed": self.config.seed,
            "config": dict(self.choices),
        }
        if self._remarks:
            summary["remarks"] = self._remarks
        if self._error is not None:
            summary["error"] = self._error
        self.losses.attempt("summary.json", lambda: self.directory.write_summary(summary))

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def handle(number: int, _frame: Any) -> None:
            if self.interrupted_by is not None:
                raise KeyboardInterrupt
            self.interrupted_by = number
            print("\nstopping after this rollout and its update; once more stops at once", flush=True)

        previous: dict[signal.Signals, Any] = {}
        with contextlib.suppress(ValueError):  # not the main thread: the launcher handles signals
            for number in (signal.SIGINT, signal.SIGTERM):
                previous[number] = signal.signal(number, handle)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def not_finite(model: BaseAlgorithm) -> str | None:
    """The name of a saved tensor that holds NaN or infinity; None where all are finite."""
    waiting: list[tuple[str, Any]] = list(model.get_parameters().items())
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(f"{name}.{key}", entry) for key, entry in value.items()]
        elif isinstance(value, torch.Tensor) and value.is_floating_point() and not torch.isfinite(value).all():
            return name
    return None


class _Skilled(Exception):
    """Leaves SB3's loop at a rollout's start: what stop_at_success waits for has come."""


class _StopTraining(Exception):
    """Leaves SB3's loop at a rollout's start."""


class Boundary(BaseCallback):
    """What happens between rollouts: metrics are recorded, checkpoints are written."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training
        self.console = ConsoleProgress(training.total, training.model.num_timesteps)
        self.step = training.model.num_timesteps  # at the last rollout's start
        self.weights_are_whole = True  # False while an update changes them
        self._checkpoint_time = time.monotonic()
        self._checkpoint_seconds = 0.0  # that writing it took
        self._checkpoint_step = -1 if training._resumed is None else training._resumed.checkpoint.steps
        self._row_step = self.step
        self._row_every = training.row_every

    def _on_training_start(self) -> None:
        # SB3 counts seconds and speed from here; ours are over all sessions
        self.model.start_time -= int(self.training.elapsed * 1e9)
        self.model._num_timesteps_at_start = 0

    def _on_rollout_start(self) -> None:
        training, steps = self.training, self.model.num_timesteps
        self.step, self.weights_are_whole = steps, True
        if self._row_every is not None and steps - self._row_step >= self._row_every:
            self._write_row()
        if self._checkpoint_is_due(steps):
            began = time.monotonic()
            training.refuse_broken_weights()
            training.save()
            self._checkpoint_step, self._checkpoint_time = steps, time.monotonic()
            self._checkpoint_seconds = self._checkpoint_time - began
        self.console.update(steps, training.task_return(), training.success_rate())
        if training.interrupted_by is not None:
            raise _StopTraining
        if training.episodes.reached is not None:
            raise _Skilled

    def _checkpoint_is_due(self, steps: int) -> bool:
        every = self.training.config.checkpoint_every
        if self._checkpoint_step < 0:
            return True
        if steps - self._checkpoint_step < (CHECKPOINT_STEPS if every is None else every):
            return False
        wait = self._checkpoint_seconds / CHECKPOINT_SHARE if every is None else 0.0
        return time.monotonic() - self._checkpoint_time >= wait

    def _on_step(self) -> bool:
        dones = self.locals["dones"]
        if not np.count_nonzero(dones):
            return True
        training = self.training
        training.episodes.add(dones, self.locals["infos"], self.model.num_timesteps, training.seconds)
        if training.config.env.statistics:
            for index in np.flatnonzero(dones).tolist():
                names = training.statistics[0] if training.statistics else ()
                training.statistics.append(told(self.locals["infos"][index], names))
        return True

    def _on_rollout_end(self) -> None:
        self.weights_are_whole = False
        if self._row_every is None:
            self._record_statistics()

    def finish(self) -> None:
        """After the last update: the last row, the last checkpoint."""
        self.step, self.weights_are_whole = self.training.model.num_timesteps, True
        if self._row_every is not None and self.step > self._row_step:
            self._write_row()
        self.training.refuse_broken_weights()
        self.training.save()
        self.console.update(self.step, self.training.task_return(), self.training.success_rate())

    def _write_row(self) -> None:
        self._record_statistics()
        self.model.dump_logs()
        self._row_step = self.model.num_timesteps

    def _record_statistics(self) -> None:
        self.logger.record(EPISODES, self.training.episodes.count)
        self.logger.record(SECONDS, round(self.training.seconds, 3))
        for name, value in self.training.env.episode_statistics().items():
            self.logger.record("rollout/shaped_return_mean" if name == "shaped_return" else name, value)
        for name, value in self.training.statistics_means().items():
            self.logger.record(f"stats/{name}", value)


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Workers started here ignore Ctrl-C, which a terminal sends to all: a rollout needs them."""
    try:
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


__all__ = ["Boundary", "RunDirectoryError", "Training", "begin", "go_on"]
