"""Where metrics go: progress.csv always, TensorBoard and Weights & Biases when asked."""

from __future__ import annotations

import csv
import netrc
import os
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat
from torch.utils.tensorboard import SummaryWriter

from foundation.files import replace_text
from scripts.running.finished_episodes import WINDOW
from scripts.running.losses import Losses
from scripts.running.progress_csv import EPISODES, FILE, STEPS, SUCCESS, ProgressCsv, read_rows

_ROWS = 500  # of a table
_WANDB_PATIENCE = 60.0  # seconds for the last upload


def make_logger(
    run_dir: Path,
    tracking: Mapping[str, Any],
    *,
    config: Mapping[str, Any],
    losses: Losses,
    resume_from: int | None = None,
    progress: Mapping[str, Any] | None = None,
) -> RunLogger:
    """SB3's logger over a run directory.

    Args:
        run_dir: the run directory.
        tracking: settings of the group `tracking`.
        config: the whole configuration, for W&B's table of runs.
        losses: where a failed write is noted.
        resume_from: step of the checkpoint that training goes on from; what was logged later is
            removed or superseded.
        progress: the state of progress.csv at that step.
    """
    rows = ProgressCsv(run_dir / FILE, resume_from, state=progress, losses=losses)
    outputs: list[KVWriter] = [rows]
    if tracking["tensorboard"]:
        outputs.append(ResumedTensorBoard(run_dir / "tensorboard", losses, resume_from=resume_from))
    if tracking["wandb"]:
        outputs.append(WandbWriter(run_dir, tracking, config=config, history=read_rows(rows.path)[1]))
    return RunLogger(str(run_dir), outputs, rows)


class RunLogger(Logger):
    """SB3's logger with tables; without iterations, and without a success rate of few episodes."""

    def __init__(self, folder: str, outputs: list[KVWriter], progress: ProgressCsv) -> None:
        super().__init__(folder, outputs)
        self.progress = progress
        self._few = True  # episodes

    def table(self, name: str, path: Path) -> None:
        """Hand a CSV file to W&B, where there is one: its first 500 rows."""
        for output in self.output_formats:
            if isinstance(output, WandbWriter):
                output.table(name, path)

    def pictures(self, folder: Path, paths: Sequence[Path]) -> None:
        """Hand PNGs and GIFs of a run directory to W&B, where there is one, by their place."""
        for output in self.output_formats:
            if isinstance(output, WandbWriter):
                output.pictures(folder, paths)

    def close_files(self) -> None:
        """Close everything but W&B, which is still to be handed what a run's end makes."""
        for output in self.output_formats:
            if not isinstance(output, WandbWriter):
                output.close()
        self.output_formats = [output for output in self.output_formats if isinstance(output, WandbWriter)]

    def record(self, key: str, value: Any, exclude: str | tuple[str, ...] | None = None) -> None:
        if key == EPISODES:
            self._few = value < WINDOW
        if key == "time/iterations" or (key == SUCCESS and self._few):
            return  # counted anew at every resume; a rate of few episodes is that of the short ones
        super().record(key, value, exclude)


class ResumedTensorBoard(TensorBoardOutputFormat):
    """SB3's TensorBoard writer; a resume hides what was logged after the checkpoint.

    It ends with the first row that cannot be written, and is noted.
    """

    def __init__(self, folder: Path, losses: Losses, *, resume_from: int | None = None) -> None:
        self.writer = SummaryWriter(log_dir=str(folder), purge_step=None if resume_from is None else resume_from + 1)
        self._is_closed = False
        self._losses = losses

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        if not self._is_closed:
            self._is_closed = not self._losses.attempt(
                "tensorboard", lambda: super(ResumedTensorBoard, self).write(key_values, key_excluded, step)
            )

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._losses.attempt("tensorboard", self.writer.close)


class WandbWriter(KVWriter):
    """Weights & Biases, files in RUN/wandb. What goes wrong is said once and stops no training.

    Online with WANDB_API_KEY or a login (WANDB_MODE decides where it is set), offline otherwise;
    never asks anything. A resumed run has the same id, kept in RUN/wandb/id.txt; WANDB_RUN_ID,
    which W&B's own sweeps set, chooses that of a new one. Offline, a resumed run is written whole
    once more, from progress.csv, and the folders before are put aside: whoever synchronises the
    newest has every row once.

    Args:
        run_dir: the run directory.
        tracking: settings of the group `tracking`.
        config: the whole configuration.
        history: the rows before a resume, as progress.csv has them.
    """

    def __init__(
        self,
        run_dir: Path,
        tracking: Mapping[str, Any],
        *,
        config: Mapping[str, Any],
        history: Sequence[Mapping[str, str]] = (),
    ) -> None:
        self._run: Any = None
        self._failed = False
        self._try(lambda: self._start(run_dir, tracking, config, history))

    def _start(
        self,
        run_dir: Path,
        tracking: Mapping[str, Any],
        config: Mapping[str, Any],
        history: Sequence[Mapping[str, str]],
    ) -> None:
        folder = (run_dir / "wandb").resolve()
        folder.mkdir(exist_ok=True)
        for variable in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
            os.environ.setdefault(variable, str(folder))
        os.environ.setdefault("WANDB_SILENT", "true")  # it advertises at every start otherwise
        import wandb  # here: it takes a second, and tracking=none does without

        identity, mode = folder / "id.txt", wandb_mode()
        known = identity.read_text().strip() if identity.exists() else os.environ.get("WANDB_RUN_ID")
        if mode == "offline":
            _put_aside(folder)
        self._run = wandb.init(
            project=tracking["project"],
            entity=tracking["entity"],
            group=tracking["group"],
            tags=list(tracking["tags"]) or None,
            name=run_dir.resolve().name,
            dir=str(run_dir.resolve()),
            id=known or secrets.token_hex(4),
            resume="allow",
            mode=mode,
            config=dict(config),
            settings=wandb.Settings(silent=True, console="off", disable_git=True, save_code=False, init_timeout=30),
        )
        self._run.define_metric(STEPS)
        self._run.define_metric("*", step_metric=STEPS)
        replace_text(identity, f"{self._run.id}\n")
        for row in history if mode == "offline" else ():
            self._run.log({name: _number(cell) for name, cell in row.items() if cell})

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        numbers = {key: value for key, value in key_values.items() if isinstance(value, np.ScalarType)}
        if self._run is not None:
            self._try(lambda: self._run.log({STEPS: step, **numbers}))

    def table(self, name: str, path: Path) -> None:
        """Log the first 500 rows of a CSV file as a table."""
        if self._run is not None:
            self._try(lambda: self._log_table(name, path))

    def _log_table(self, name: str, path: Path) -> None:
        import wandb

        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        data = [[_number(cell) for cell in row] for row in rows[1 : _ROWS + 1]]
        self._run.log({name: wandb.Table(columns=[*rows[0]], data=data)})

    def pictures(self, folder: Path, paths: Sequence[Path]) -> None:
        """Log pictures below `folder` as "plots/NAME", clips as "videos/NAME_clip", all at once."""
        if self._run is not None and paths:
            self._try(lambda: self._log_pictures(folder, paths))

    def _log_pictures(self, folder: Path, paths: Sequence[Path]) -> None:
        import wandb

        media: dict[str, Any] = {}
        for path in paths:
            name = path.relative_to(folder).with_suffix("").as_posix()
            if path.suffix == ".gif":
                media[f"{name}_clip"] = wandb.Video(str(path), format="gif")
            else:
                media[name] = wandb.Image(str(path))
        self._run.log(media)

    def close(self) -> None:
        if self._run is None:
            return
        run, self._run = self._run, None
        last = threading.Thread(target=lambda: self._try(run.finish), daemon=True)
        last.start()
        last.join(_WANDB_PATIENCE)
        if last.is_alive():
            print(
                f"warning: W&B did not finish within {_WANDB_PATIENCE:.0f} s; its files are kept beside the run",
                flush=True,
            )

    def _try(self, action: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            action()
        except Exception as error:
            self._failed = True
            self._run = None
            print(f"warning: W&B failed, training goes on without it: {_without_keys(str(error))}", flush=True)


def _put_aside(folder: Path) -> None:
    """Hide what earlier sessions wrote offline from ``wandb sync RUN/wandb/offline-run-*``."""
    for old in folder.glob("offline-run-*"):
        old.rename(old.with_name(f"superseded-{old.name}"))


def wandb_mode() -> Any:
    """ "online" with a key or a login, "offline" without; WANDB_MODE comes first."""
    if os.environ.get("WANDB_MODE"):
        return os.environ["WANDB_MODE"]
    if os.environ.get("WANDB_API_KEY"):
        return "online"
    host = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai").split("://")[-1].split("/")[0]
    try:
        return "online" if netrc.netrc().authenticators(host) else "offline"
    except (OSError, netrc.NetrcParseError):
        return "offline"


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _without_keys(text: str) -> str:
    key = os.environ.get("WANDB_API_KEY")
    return text.replace(key, "***") if key else text
