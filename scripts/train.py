"""Train an agent: `python -m scripts.train env=minihack/key_room shaping=events agent=ppo`; `--help` lists the rest."""

from __future__ import annotations

import sys
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from scripts.configuration.command_line import CommandLineError, check_command_line, prepare
from scripts.configuration.groups import (
    ALL_TERMS,
    HYDRA_SETTINGS,
    RunConfig,
    environments,
    from_container,
    register,
    to_container,
)
from scripts.running.experiment import check
from scripts.running.run_directory import RunDirectoryError

CANNOT_START = 2
INTERRUPTED = (130, 143)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0 finished, 1 failed, 2 refused, 130 or 143 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
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
        code = _run(composed)
        codes.append(code)
        if code in INTERRUPTED:
            raise SystemExit(code)  # of a sweep too: nothing more is started

    before, sys.argv = sys.argv, [sys.argv[0], *prepared]
    try:
        hydra.main(version_base="1.3", config_path=None, config_name="train")(task)()
    finally:
        sys.argv = before
    return max(codes, default=0)


def _run(composed: DictConfig) -> int:
    from scripts.results.finish import finish  # here: --help need not wait for them
    from scripts.running.training import begin

    try:
        config = from_container(to_container(composed))
        training = begin(config, choices(config, HydraConfig.get()))
        code = training.run()
        if code == 0:
            finish(training.directory.path, training.config)
        return code
    except (ValueError, RunDirectoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return CANNOT_START
    except KeyboardInterrupt:
        return 130


def choices(config: RunConfig, hydra_config: Any) -> dict[str, str]:
    """The group choices of a run, as choices.yaml and summary.json name them."""
    chosen = OmegaConf.to_container(hydra_config.runtime.choices)
    assert isinstance(chosen, dict)
    env = str(chosen["env"])
    if config.env.id != environments[env].id:
        env = config.env.id.removeprefix("breadcrumb/")  # env.id=... on top of an option
    shaping = "+".join(config.shaping.terms) or "none"
    return {
        "env": env,
        "shaping": "all" if set(config.shaping.terms) == set(ALL_TERMS) else shaping,
        "agent": str(chosen["agent"]),
        "tracking": str(chosen["tracking"]),
    }


if __name__ == "__main__":
    sys.exit(main())


__all__ = ["choices", "main"]
