"""Train an agent.

    python -m scripts.train env=minihack/key_room shaping=events agent=ppo

`--help` lists the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from scripts.configuration.command_line import CommandLineError, check_command_line, prepare
from scripts.configuration.groups import RunConfig
from scripts.configuration.store import HYDRA_SETTINGS, choices, from_container, register, to_container
from scripts.running.run_directory import RunDirectoryError

if TYPE_CHECKING:
    from scripts.running.experiment import Experiment

CANNOT_START = 2
INTERRUPTED = (130, 143)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit code.

    0 finished, 1 failed, 2 refused, 130 or 143 interrupted.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    assembled: list[Experiment] = []

    def check(config: RunConfig, chosen: Mapping[str, str]) -> None:
        assembled.append(assemble(config, chosen))

    try:
        register()
        parsed = get_args_parser().parse_intermixed_args(arguments)
        overrides = prepare(parsed.overrides)
        looks_only = parsed.help or parsed.hydra_help or parsed.info or parsed.shell_completion
        if not looks_only:
            check_command_line(overrides, sweep=parsed.multirun, check=check)
    except CommandLineError as error:
        print(f"error: {error}", file=sys.stderr)
        return CANNOT_START
    # argparse wants flags first, and ours before the user's, which win
    flags = [argument for argument in arguments if argument not in parsed.overrides]
    prepared = [*flags, *HYDRA_SETTINGS, *overrides]

    codes: list[int] = []

    def task(composed: DictConfig) -> None:
        code = _run(composed, assembled)
        codes.append(code)
        if code in INTERRUPTED:
            raise SystemExit(code)  # of a sweep too: nothing more is started

    before, sys.argv = sys.argv, [sys.argv[0], *prepared]
    try:
        hydra.main(version_base="1.3", config_path=None, config_name="train")(task)()
    finally:
        sys.argv = before
    return max(codes, default=0)


def assemble(config: RunConfig, chosen: Mapping[str, str]) -> Experiment:
    """See `scripts.running.experiment.assemble`, whose imports ``--help`` does without."""
    from scripts.running import experiment

    return experiment.assemble(config, chosen)


def _run(composed: DictConfig, assembled: list[Experiment]) -> int:
    """Train what was composed; what was assembled to check it is used, not made again."""
    from scripts.results.finish import finish  # here: --help need not wait for them
    from scripts.running.training import begin, go_on

    try:
        config = from_container(to_container(composed))
        if config.resume is not None:
            training = go_on(Path(config.resume), config.total_timesteps, trust=config.trust)
        else:
            known = next((experiment for experiment in assembled if experiment.config == config), None)
            training = begin(known or assemble(config, choices(config, HydraConfig.get().runtime.choices)))
        return training.run(finish)
    except (ValueError, RunDirectoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return CANNOT_START
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
