"""The paper's evaluation: scores, judges that ask nothing, the command with the real model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scripts import annotate
from scripts.annotate import main
from scripts.annotation.judges import Score
from scripts.annotation.study import Arguments, annotate_all, environment, table
from scripts.annotation.transitions import build, save
from scripts.configuration.arguments import parse


def test_scores_are_the_textbooks():
    judged = np.array([1, 1, 1, 0, 0, 0, 0], bool)
    truth = np.array([1, 1, 0, 1, 0, 0, 0], bool)
    score = Score.of(judged, truth)
    assert (score.tp, score.fp, score.fn, score.tn) == (2, 1, 1, 3)
    assert score.metrics() == {"precision": 0.6667, "recall": 0.6667, "f1": 0.6667, "accuracy": 0.7143}
    assert Score(0, 0, 0, 5).metrics() == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "accuracy": 1.0}


def test_always_yes_scores_what_the_paper_s_sets_allow_and_symbols_are_always_right():
    arguments = Arguments(judges=("always-yes", "symbolic", "action-rule"))
    annotations = annotate_all(arguments, environment("minihack/key_room"), None, progress=lambda _: None)
    scores = {(made.judge, made.balance): made.score for made in annotations}
    assert scores["always-yes", "balanced"].f1 == pytest.approx(0.810, abs=0.001)
    assert scores["always-yes", "balanced"].accuracy == 0.68
    assert scores["always-yes", "unbalanced"].f1 == pytest.approx(0.148, abs=0.001)
    for balance in ("balanced", "unbalanced"):
        assert scores["symbolic", balance].f1 == 1.0
        assert scores["action-rule", balance].recall == 1.0
    assert "| always-yes | balanced | 0.68 | 1.00 | 0.81 | 0.68 |" in table(annotations)
    confusion = next(made.confusion for made in annotations if (made.judge, made.balance) == ("symbolic", "balanced"))
    assert confusion == [[17, 0, 0], [0, 17, 0], [0, 0, 16]]


def test_the_command_judges_a_data_set_with_the_embedded_model_and_writes_table_and_picture(tmp_path, capsys):
    save(tmp_path / "set.jsonl", build("MiniHack-KeyRoom-S5-v0", 12, "balanced", seed=1))
    arguments = [f"dataset={tmp_path / 'set.jsonl'}", "forms=caption", "subgoals=given", "judges=model,always-yes",
                 f"out={tmp_path / 'out'}", f"llm.cache={tmp_path / 'answers.sqlite'}"]  # fmt: skip
    main(arguments)
    first = json.loads((tmp_path / "out" / "annotations.json").read_text())
    judged = {row["judge"].split()[-1]: row for row in first}
    assert judged["caption"]["precision"] >= 0.9
    assert judged["caption"]["each"]["pick up the key"]["tp"] == 4
    assert judged["caption"]["f1"] > 0.5
    assert (tmp_path / "out" / "confusion.png").stat().st_size > 5000
    assert "| precision | recall | F1 | accuracy |" in (tmp_path / "out" / "table.md").read_text()
    main([*arguments, "llm.replay=true"])
    assert json.loads((tmp_path / "out" / "annotations.json").read_text()) == first
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["forms=smell"], "forms='smell'"),
        (["judges=oracle"], "judges='oracle'"),
        (["seeds="], "seeds is empty"),
        (["forms="], "forms is empty"),
        (["balances=fair"], "balances='fair'"),
        (["env=minihack/key_rom"], "no env"),
        (["env=classic/cartpole"], "no subgoals"),
        (["llm.modle_path=x"], "model_path"),
        (["extra"], "unknown argument"),
        (["dataset=missing.jsonl"], "missing"),
    ],
)
def test_bad_options_are_refused_before_anything_is_asked(arguments, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        main([*arguments, "judges=always-yes"] if not arguments[0].startswith("judges") else arguments)


def test_options_of_a_group_are_typed_and_add_up():
    _, arguments = parse(["llm.threads=2", "llm.base_url=http://x/v1", "n=5"], Arguments, annotate.__doc__)
    assert (arguments.llm.threads, arguments.llm.base_url, arguments.llm.timeout, arguments.n) == (
        2,
        "http://x/v1",
        30.0,
        5,
    )
    with pytest.raises(ValueError, match="integer"):
        parse(["llm.threads=two"], Arguments, annotate.__doc__)
