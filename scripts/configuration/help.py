"""What `python -m scripts.train --help` prints: groups, options and settings in plain words."""

from __future__ import annotations

import dataclasses

import agents
from scripts.configuration import terms
from scripts.configuration.groups import DEFAULT_CHOICES, LLMS, RUN_OPTIONS, TRACKERS, environments
from shaping import combine, episodes, transforms
from shaping.terms import registry

EXAMPLES = """Train an agent: an environment × reward terms × an agent.

    python -m scripts.train env=minihack/key_room shaping=events agent=ppo seed=1
    python -m scripts.train shaping=[events,rnd] shaping.terms.rnd.weight=0.1 agent.learning_rate=3e-4
    python -m scripts.train -m shaping=none,events seed=0,1,2          # a sweep: every combination in turn
    python -m scripts.train resume=runs/NAME                           # go on after an interruption
"""

FURTHER = """
Further settings: env.id, env.kwargs.<argument>, shaping.task_weight, shaping.task_transforms, agent.<name>.
`--cfg job` prints all of them with their values. A weight is a number, linear(START,END,STEPS),
exponential(START,END,HALF_LIFE) or piecewise(STEP:VALUE,...).
A transform is a name, or {name: NAME, ARGUMENT: VALUE}."""


def help_text() -> str:
    """The whole of it."""
    cards = environments()
    width = max(map(len, cards)) + 2
    lines = [EXAMPLES, f"env={DEFAULT_CHOICES['env']}   what the agent acts in"]
    for option, env in cards.items():
        what = "any gymnasium id: env=custom env.id=Acrobot-v1" if env.id == "???" else env.id
        lines.append(f"    {option:{width}}{what}")
    lines += ["", "shaping=events   where reward comes from; a list combines: shaping=[events,rnd]"]
    lines.append(f"    {'none':{width}}the task's own reward")
    lines.append(f"    {'all':{width}}{' + '.join(terms.ALL_TERMS)}")
    shared = ", ".join(terms.EVERY_TERM)
    for name in registry.names():
        lines.append(f"    {name:{width}}{_first_line(registry.get(name))}")
        arguments = "".join(f"{entry.name}, " for entry in dataclasses.fields(registry.schema(name)))
        lines.append(f"    {'':{width}}  shaping.terms.{name}.: {arguments}{shared}")
    for option, preset in terms.presets().items():
        given = ", ".join(f"{key}={value}" for key, value in preset.items())
        lines.append(f"    {option:{width}}{option.partition('/')[0]} with {given}")
    for setting, module in (
        ("shaping.terms.<term>.transforms", transforms),
        ("shaping.combiner.name", combine),
        ("shaping.episode.name", episodes),
    ):
        lines += ["", f"{setting}="]
        for name in module.registry.names():
            lines.append(f"    {name:{width}}{_first_line(module.registry.get(name))}")
    for group, what, known in (
        ("agent", "what learns", agents.options()),
        ("tracking", "where the curves go, beside progress.csv", TRACKERS),
        ("llm", "whom some terms ask; llm.model_path=FILE.gguf takes a larger model", LLMS),
    ):
        lines += ["", f"{group}={DEFAULT_CHOICES[group]}   {what}"]
        lines += [f"    {name:{width}}{_first_line(config)}" for name, config in known.items()]
    lines += ["", "settings (default)"]
    lines += [f"    {name:{width}}{what}" for name, what in RUN_OPTIONS.items()]
    return "\n".join([*lines, FURTHER])


def _first_line(described: type) -> str:
    return (described.__doc__ or "").strip().split("\n")[0]
