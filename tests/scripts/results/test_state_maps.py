"""Maps over two numbers of an observation: where states lie, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from scripts.results.curves import STEPS
from scripts.results.state_maps import CELLS, draw_course, draw_maps, refuse_coordinates, states_over
from scripts.train import main

BOX = spaces.Box(np.array([0.0, -1.0, 2.0]), np.array([1.0, 1.0, 4.0]))
OPEN = spaces.Box(-np.inf, np.inf, (3,))


def test_states_vary_in_two_numbers_and_the_others_stay_in_the_middle():
    states, corners = states_over(BOX, 0, 2)
    assert states.shape == (CELLS * CELLS, 3)
    assert corners == (0.0, 1.0, 2.0, 4.0)
    np.testing.assert_array_equal(states[:, 1], 0.0)
    np.testing.assert_allclose(states[[0, CELLS - 1, -1]][:, [0, 2]], [[0, 2], [1, 2], [1, 4]])
    states, _ = states_over(OPEN, 0, 1, at=(0, 0, 7), extent=(0, 1, 0, 1))
    np.testing.assert_array_equal(states[:, 2], 7.0)


def test_what_has_no_map_is_refused():
    for space, x, y, says in (
        (spaces.Discrete(3), 0, 1, "two numbers of a vector"),
        (BOX, 0, 3, "y=3: expected a whole number from 0 to 2"),
        (BOX, 1, 1, "give two"),
    ):
        with pytest.raises(ValueError, match=says):
            refuse_coordinates(space, x, y)
    with pytest.raises(ValueError, match="give extent="):
        states_over(OPEN, 0, 1)
    with pytest.raises(ValueError, match="expected 3 numbers"):
        states_over(BOX, 0, 1, at=(1,))


def test_maps_and_course_are_drawn(tmp_path):
    maps = {"own": np.zeros(CELLS * CELLS), "hint": np.linspace(-1, 1, CELLS * CELLS)}
    draw_maps(maps, (0.0, 1.0, 0.0, 1.0), ("x", "y"), tmp_path / "maps.png")
    assert (tmp_path / "maps.png").stat().st_size > 1000
    rows = [f"{STEPS},train/discount,train/share_own", "10,0.99,0.5", "20,0.98,0.4"]
    (tmp_path / "progress.csv").write_text("\n".join(rows) + "\n")
    assert draw_course(tmp_path, tmp_path / "course.png") == tmp_path / "course.png"
    (tmp_path / "progress.csv").write_text(f"{STEPS},reward/task\n10,1\n")
    assert draw_course(tmp_path, tmp_path / "none.png") is None


def test_the_command_draws_the_factors_of_a_run_and_refuses_an_agent_without(tmp_path):
    from scripts.state_maps import main as draw

    common = ["env=classic/sparse_square", "shaping=channels", "tracking=none", "evaluate_episodes=0"]
    run = tmp_path / "run"
    assert main([*common, "agent=barfi", "total_timesteps=700", f"run_dir={run}"]) == 0
    draw([str(run)])
    assert (run / "plots" / "state_maps.png").is_file()
    assert (run / "plots" / "course.png").is_file()
    other = tmp_path / "other"
    assert main([*common, "agent=a2c", "total_timesteps=100", f"run_dir={other}"]) == 0
    with pytest.raises(ValueError, match="agent=a2c has no maps to draw"):
        draw([str(other)])
