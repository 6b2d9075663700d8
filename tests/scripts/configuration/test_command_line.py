"""A slip on the command line is a sentence with the nearest right word, before all building."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import envs
from scripts.configuration.command_line import CommandLineError, check_command_line, prepare
from scripts.configuration.help import help_text
from scripts.configuration.store import from_container, options, register
from scripts.running.experiment import assemble
from scripts.train import main

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True, scope="module")
def _registered() -> None:
    register()


def refused(line: str, *, sweep: bool = False) -> str:
    with pytest.raises(CommandLineError) as caught:
        check_command_line(prepare(line.split(" ")), sweep=sweep, check=assemble)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("agnet=ppo", "Did you mean agent"),
        ("agent=pppo", "Did you mean ppo"),
        ("env=key_room", "Did you mean minihack/key_room"),
        ("env=minihack/keyroom", "Did you mean minihack/key_room"),
        ("shaping=evnts", "Did you mean events"),
        ("shaping=[events,rdn]", "Did you mean rnd"),
        ("tracking=wnadb", "Did you mean wandb"),
        ("seed=abc", "expected a whole number, not 'abc'"),
        ("total_timesteps=1e5", "write 100000"),
        ("agent.learning_rat=1", "Did you mean learning_rate"),
        ("agent.learning_rate=fast", "expected a number"),
        ("agent.learning_rate=nan", "agent.learning_rate=nan: expected a number of at least 0"),
        ("agent.gamma=2", "from 0 to 1"),
        ("agent.device=cudda", "no device"),
        ("gif=maybe", "bool"),
        ("n_envs=0", "at least 1"),
        ("workers=33", "more than n_envs"),
        ("seed=-1", "at least 0"),
        ("shaping.terms.events.wieght=2", "Did you mean weight"),
        ("shaping.terms.rnd.weight=2", "Add it with shaping="),
        ("shaping.terms.events.weight=nan", "must be finite"),
        ("shaping.terms.events.weight=linear(1,inf,100)", "must be finite"),
        ("shaping.task_weight=inf", "must be finite"),
        ("shaping.terms.events.clip=-1", "above 0"),
        ("shaping.terms.events.events=[picked_up_kee]", "Did you mean picked_up_key"),
        ("shaping.episode.name=terminal_releas", "terminal_release"),
        ("shaping.episode.withheld=[events]", "name is null"),
        ("shaping.combiner.name=weighted_summ", "Did you mean weighted_sum"),
        ("shaping.combiner.arguments.withold=[events]", "Did you mean withheld"),
        ("shaping.terms.events.transforms=[sigmiod]", "Did you mean sigmoid"),
        ("shaping.terms.events.transforms=[{name:clip,lo:0}]", "no argument 'lo'"),
        ("shaping.terms.events.transforms=[3]", "3 is no transform"),
        ("shaping.task_transforms=[cilp]", "Did you mean clip"),
        ("shaping.terms.events.channels={door:2}", "its channels are none"),
        ("env.kwargs.crop_sise=5", "Did you mean crop_size"),
        ("agent.n_steps=0", "agent.n_steps=0: expected a number of at least 1"),
        ("shaping=[events,events]", "names events more than once"),
        ("shaping=[none,events]", "none is no term"),
        ("torch_threads=100000", "too many for"),
        ("n_envs=1000000", "too many for one machine"),
        ("run_dir=", "run_dir is empty"),
        ("shaping.terms.events=null", "leave the term out"),
        ("env.id=CartPol-v1", "CartPole-v1"),
        ("env.id=MiniHack-KeyRoom-S6-v0", "MiniHack-KeyRoom-S5-v0"),
        ("env.kwargs=3", "dictionary"),
        ("env=custom shaping=none", "env.id has no value"),
        ("env=classic/cartpole", "needs the environment to report events"),
        ("env=classic/cartpole shaping=potential", "potential is empty; name an info entry"),
        ("shaping=calm llm=endpoint", "llm.base_url='' is no address"),
        ("shaping=oni/retrieval llm=endpoint llm.model=m", "llm.base_url='' is no address"),
        ("shaping=calm llm.model_path=pyproject.toml", "no GGUF model"),
        ("tracking=none tracking.project=x", "no 'project'"),
        ("~agent", "cannot be left out"),
        ("~seed", "cannot be removed"),
        ("+foo=1", "no setting 'foo'"),
        ("seed", "name=value"),
        ("seed=1,2", "Add -m"),
        ("shaping=glob(ev*)", "Add -m"),
        ("agent.policy_kwargs={net_arch:[0]}", "net_arch=0: expected a whole number of at least 1"),
        ("agent.policy_kwargs={net_arch:{foo:[64]}}", "layers for 'foo'"),
        ("agent.policy_kwargs={net_arch:[8]} agent.net_arch=[8]", "give one of them"),
        ("shaping=rnd shaping.terms.rnd.hidden=100000000", "hidden=100000000: expected a whole number from 1 to 4096"),
        ("shaping=rnd shaping.terms.rnd.embedding=0", "embedding=0: expected a whole number from 1 to 4096"),
        ("env.id=nowhere:Maze-v0", "the module nowhere cannot be imported"),
        ("++shaping.terms.coutn.power=1", "Did you mean count"),
        ("resume=runs/x seed=3", "Only total_timesteps"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_right(line: str, says: str) -> None:
    assert says in refused(line)


@pytest.mark.parametrize(
    "line",
    [
        "env=custom env.id=Acrobot-v1 shaping=none",
        "env.kwargs.crop_size=5",
        "shaping=all",
        "shaping=[events,rnd] shaping.terms.rnd.weight=0.5",
        "shaping.terms.events.weight=linear(1,0,100)",
        "shaping.episode.name=terminal_release",
        "shaping.episode.name=per_step shaping.episode.arguments={weights:{events:2}}",
        "shaping.terms.events.rewards={picked_up_key:2}",
        "shaping.terms.events.rewards.picked_up_key=2",
        "shaping.terms.events.transforms=[running_normalise,{name:clip,low:-2,high:2}]",
        "shaping.task_transforms=[sigmoid]",
        "shaping=oni/ranking shaping.task_transforms=[{name:clip,low:-10,high:10}]",
        "shaping.combiner.name=weighted_sum",
        "env.kwargs={crop_size:5}",
        "shaping=potential shaping.terms.potential.truncation=zero",
        "agent.net_arch=[64,64]",
        "agent.net_arch={pi:[64],vf:[64]}",
        "agent.policy_kwargs={net_arch:[64]}",
        "env.subgoals={open_the_door:opened_door}",
        "shaping=calm shaping.terms.calm.subgoals={open_the_door:opened_door}",
        "++shaping.terms.count.power=1.0",
        "run_dir=runs/düne",
        "agent=sac env=classic/pendulum shaping=count",
    ],
)
def test_a_right_command_line_passes(line: str) -> None:
    check_command_line(prepare(line.split(" ")), sweep=False, check=assemble)


def test_every_combination_of_a_sweep_is_checked() -> None:
    check_command_line(prepare(["shaping=none,events", "seed=0,1"]), sweep=True, check=assemble)
    assert "Did you mean events" in refused("shaping=none,evnts seed=0,1", sweep=True)
    assert "not in this run" in refused("shaping=rnd,events shaping.terms.rnd.weight=1,2", sweep=True)
    assert "expected a whole number" in refused("seed=0,x", sweep=True)
    assert "no combination" in refused("seed=range(0,0)", sweep=True)
    assert "Every run of this sweep would go to run_dir=runs/x" in refused("run_dir=runs/x seed=0,1", sweep=True)
    check_command_line(prepare(["run_dir=runs/x-${seed}", "seed=0,1"]), sweep=True, check=assemble)


def test_a_glob_in_a_sweep_stands_for_the_options_that_it_matches() -> None:
    places = ["env=classic/cartpole", "run_dir=runs/${hydra:runtime.choices.shaping}"]
    check_command_line(prepare(["shaping=glob([co*,rn*])", *places]), sweep=True, check=assemble)
    assert "no combination" in refused("shaping=glob(nothing*)", sweep=True)
    assert "glob(...) chooses among options" in refused("seed=glob(*)", sweep=True)


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("run_dir=runs/dünen", "run_dir='runs/dünen'"),
        ("run_dir=runs/日 本", "run_dir='runs/日 本'"),
        ("run_dir=runs/dünen-${seed}", "run_dir='runs/dünen-${seed}'"),
        ("tracking.tags=[größe,plain]", "tracking.tags=['größe',plain]"),
        ("tracking.group='größe'", "tracking.group='größe'"),
        ("run_dir=runs/plain", "run_dir=runs/plain"),
    ],
)
def test_letters_of_any_language_need_no_quotes(text: str, prepared: str) -> None:
    assert prepare([text]) == [prepared]


@pytest.mark.parametrize("option", [option for option in envs.options() if option != "custom"])
def test_every_environment_option_works_with_its_own_events(option: str) -> None:
    shaping = "events" if envs.options()[option].events else "none"
    check_command_line([f"env={option}", f"shaping={shaping}"], sweep=False, check=assemble)


def test_help_lists_every_option_of_every_group() -> None:
    text = help_text()
    for group in ("env", "shaping", "agent", "tracking"):
        for option in options(group):
            assert f"    {option} " in text


def test_a_refusal_is_exit_code_2_and_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.train", "agent=pppo", f"run_dir={tmp_path}/run"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": ""},
    )
    assert done.returncode == 2
    assert "Did you mean ppo" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("agent=sac", "continuous actions"),
        ("agent=maskable_ppo", "action_masks"),
        ("agent.policy=CnnPolicy", "reads images"),
        ("env.kwargs.no_such_argument=1", "no_such_argument"),
        ("+env.kwargs.seed=3", "seed is no argument of CartPole-v1"),
        ("agent.features=nonsense", "nonsense"),
    ],
)
def test_what_only_the_environments_spaces_tell_is_refused_before_the_run_exists(
    line: str, says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    arguments = ["env=classic/cartpole", "shaping=none", "tracking=none", f"run_dir={run}", line]
    assert main(arguments) == 2
    assert says in capfd.readouterr().err
    assert not run.exists()


def test_a_sweep_trains_every_combination_and_hydra_leaves_no_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["-m", "env=classic/cartpole", "shaping=none,count", "seed=1,2", "tracking=none", "total_timesteps=64"]
    small = ["n_envs=2", "agent.n_steps=32", "agent.batch_size=32", "evaluate_episodes=0"]
    assert main(arguments + small) == 0
    chosen = sorted(
        tuple(yaml.safe_load(path.read_text()).values())[1] for path in tmp_path.glob("runs/*/choices.yaml")
    )
    assert chosen == ["count", "count", "none", "none"]
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_the_saved_configuration_reads_back(tmp_path: Path) -> None:
    run = tmp_path / "run"
    small = ["n_envs=2", "agent.n_steps=32", "agent.batch_size=32", "evaluate_episodes=0", "total_timesteps=64"]
    arguments = ["env=classic/cartpole", "shaping=count", "tracking=none", f"run_dir={run}", *small]
    assert main(arguments) == 0
    config = from_container(yaml.safe_load((run / "config.yaml").read_text()))
    assert config.env.id == "CartPole-v1"
    assert config.agent["n_steps"] == 32
    assert set(config.shaping.terms) == {"count"}
    assert set(yaml.safe_load((run / "choices.yaml").read_text())) == {"env", "shaping", "agent", "tracking"}
