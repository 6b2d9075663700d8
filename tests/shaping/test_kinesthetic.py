"""Kinesthetic rewards: every component by hand, combinations, expressions, the two forms, teams."""

from __future__ import annotations

import math

import numpy as np
import pytest

from shaping import ShapedVecEnv, make_term
from shaping.kinesthetic import EVENTS, REWARDS, combine, parse
from shaping.kinesthetic.components import BALL_RADIUS, COMPONENTS, GOAL, GOAL_DISTANCE
from shaping.kinesthetic.states import View
from shaping.kinesthetic.term import shares
from shaping.terms import RewardTermError, Setting, Transitions
from tests.shaping.worlds import corridors, driven, situation

AHEAD, TO_GOAL = 1000.0, math.dist((0, 0, 93), tuple(GOAL))


def value(text, **arrays):
    """Of the first car in a hand-made situation."""
    return float(parse(text)(View(situation(**arrays)))[0, 0])


def near(distance, scale):
    return math.exp(-0.5 * distance / scale)


@pytest.mark.parametrize(
    ("text", "arrays", "expected"),
    [
        ("player_to_ball_distance", {}, near(math.hypot(1000, 76) - BALL_RADIUS, 2300)),
        ("player_to_ball_distance(dispersion=2)", {}, near(math.hypot(1000, 76) - BALL_RADIUS, 4600)),
        ("player_to_ball_distance(density=2)", {}, near(math.hypot(1000, 76) - BALL_RADIUS, 2300) ** 0.5),
        ("ball_to_goal_distance", {}, near(TO_GOAL - GOAL_DISTANCE, 6000)),
        ("ball_to_goal_distance(own_goal=True)", {}, near(TO_GOAL - GOAL_DISTANCE, 6000)),
        ("ball_to_goal_difference", {}, 0.0),
        ("ball_to_goal_difference", {"ball_position": [0, 5120, 321.3875]},
         near(880 - GOAL_DISTANCE, 3000) - near(11120 - GOAL_DISTANCE, 3000)),
        ("signed_ball_to_goal_distance", {"ball_position": [0, 6000 - GOAL_DISTANCE, 321.3875]}, 1.0),
        ("ball_y", {"ball_position": [0, -(5120 + BALL_RADIUS) / 2, 0]}, -0.5),
        ("ball_y(exponent=2)", {"ball_position": [0, -(5120 + BALL_RADIUS) / 2, 0]}, -0.25),
        ("ball_to_goal_velocity", {"ball_position": [0, 0, GOAL[2]], "ball_velocity": [0, 3000, 0]}, 0.5),
        ("player_to_ball_velocity", {"car_position": [0, -500, 93.0], "car_velocity": [0, -1150, 0]}, -0.5),
        ("player_to_ball_velocity", {"car_position": [0, 0, 93.0], "car_velocity": [0, 1000, 0]}, 0.0),
        ("face_ball", {"car_position": [0, 500, 93.0]}, -1.0),
        ("align", {"car_position": [0, -1000, 93], "ball_position": [0, 0, 93]},
         0.5 * (5000 / math.hypot(5000, 93 - GOAL[2])) + 0.5 * (7000 / math.hypot(7000, 93 - GOAL[2]))),
        ("align(defensive=1, offensive=0)", {"car_position": [0, 1000, GOAL[2]], "ball_position": [0, 0, GOAL[2]]}, -1),
        ("save_boost", {}, 0.5),
        ("touch_aerial", {"ball_position": [0, 0, 1022]}, 0.0),
        ("touch_aerial", {"ball_position": [0, 0, 1022], "touched": True}, 0.5),
        ("off_ground", {"on_ground": False}, 1.0),
        ("10*goal - 3*concede", {"events": {"concede": 1.0}}, -3.0),
        ("2*(save_boost - 1)/4 + 1", {}, 0.75),
    ],
)  # fmt: skip
def test_a_component_has_its_value_by_hand(text, arrays, expected):
    assert value(text, **arrays) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", sorted(COMPONENTS))
def test_an_orange_car_sees_the_field_turned(name):
    """Two cars in mirrored places, with a mirrored ball, get the same."""
    rng = np.random.default_rng(3)
    ball, speed, cars, velocities = (
        rng.normal(0, 900, 3),
        rng.normal(0, 900, 3),
        rng.normal(0, 900, 3),
        rng.normal(0, 900, 3),
    )
    turn = np.array([-1.0, -1.0, 1.0])
    events = dict.fromkeys(("goal", "team_goal", "concede", "touch", "shot", "save", "demo", "demoed"), 1.0)
    values = []
    for orange, factor in ((False, 1.0), (True, turn)):
        states = situation(
            1, ball_position=ball * factor, ball_velocity=speed * factor, car_position=cars * factor,
            car_velocity=velocities * factor, car_forward=np.array([0.6, 0.8, 0.0]) * factor, touched=True,
            orange=[orange], events=events,
        )  # fmt: skip
        values.append(parse(name)(View(states)))
    assert values[0] == pytest.approx(values[1])


@pytest.mark.parametrize("name", sorted(COMPONENTS))
def test_a_component_is_finite_where_everything_is_in_one_place_and_still(name):
    states = situation(car_position=[0, 0, 93], car_forward=[0, 0, 0], boost=0.0)
    assert np.isfinite(parse(name)(View(states))).all()


def test_krc_is_the_geometric_mean_negative_unless_nothing_is():
    a, b = np.array([0.25, -0.25, -0.5, 0.0, 0.0]), np.array([1.0, 1.0, -0.5, 1.0, -1.0])
    assert combine("krc", [a, b]).tolist() == [0.5, -0.5, -0.5, 0.0, -0.0]
    assert combine("linear", [a, b]).tolist() == [0.625, 0.375, -0.5, 0.5, -0.5]
    assert combine("product", [a, b]).tolist() == [0.25, -0.25, 0.25, 0.0, -0.0]
    assert combine("krc", [a[:1], b[:1]], eps=0.01) == pytest.approx(math.sqrt(0.26 * 1.01))


def test_combinations_nest_and_components_are_seen():
    expression = parse("2*krc(linear(save_boost, face_ball), player_to_ball_distance) - 1")
    view = View(situation())
    boost, face = 0.5, float(parse("face_ball")(view)[0, 0])
    distance = float(parse("player_to_ball_distance")(view)[0, 0])
    assert expression(view)[0, 0] == pytest.approx(2 * math.sqrt((boost + face) / 2 * distance) - 1)
    assert set(view.seen) == {"save_boost", "face_ball", "player_to_ball_distance"}
    assert [str(leaf) for leaf in expression.components()] == ["save_boost", "face_ball", "player_to_ball_distance"]


def test_krc_is_positive_only_behind_the_ball_where_the_mean_is_also_on_the_wrong_side():
    """The paper's argument: a car drives towards +y, the ball in the middle, the goal ahead."""
    ys = np.linspace(-4000, 4000, 81)
    cars = np.stack([np.full(81, 1200.0), ys, np.full(81, 17.0)], axis=1)[:, None]
    states = situation(1, 81, car_position=cars, car_velocity=[0, 1500, 0])
    values = {
        name: parse(REWARDS[f"offensive_{name}"])(View(states))[:, 0] for name in ("potential", "linear", "product")
    }
    wrong_side = ys > 300
    assert not (values["potential"][wrong_side] > 0).any()
    assert (values["potential"][ys < -1500] > 0).all()
    assert (values["linear"][wrong_side] > 0).any()
    assert (values["product"][wrong_side] > 0).all(), "two negatives make a positive"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("player_to_ball_distanc", "Did you mean player_to_ball_distance"),
        ("align(offensiv=1)", "Did you mean offensive"),
        ("player_to_ball_distance(dispersion=0)", "dispersion=0"),
        ("krc(align)", "two components or more"),
        ("krc(align, face_ball, eps=-1)", "eps=-1"),
        ("linear(align, face_ball, eps=1)", "no argument 'eps'"),
        ("align * face_ball", "product"),
        ("1 / align", "divide by numbers"),
        ("align / 0", "divides by 0"),
        ("align(0.5)", "by name"),
        ("__import__('os')", "no reward component"),
        ("align.real", "components"),
        ("align +", "cannot be read"),
        ("align ** 2", "+ - * /"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_is_right(text, words):
    with pytest.raises(ValueError) as refused:
        parse(text)
    assert words in str(refused.value)
    with pytest.raises(ValueError, match="Ready ones: offensive_potential"):
        make_term("kinesthetic", reward=text)


@pytest.mark.parametrize(
    "text",
    [
        "1e999*align", "1e999", "0*1e999", "align + 1e999", "1e308*10*align", "1e308*align + 1e308*align",
        "(1e200*align)*1e200", "align/1e-320", "1" + "0" * 400 + "*align", "ball_y(exponent=1e999)",
        "krc(align, align, eps=1e999)", "player_to_ball_distance(dispersion=1e-5)",
        "ball_to_goal_distance(dispersion=1e-5, own_goal=True)",
    ],
)  # fmt: skip
def test_a_reward_that_is_not_finite_is_refused_when_it_is_made(text):
    with pytest.raises(ValueError, match=r"^reward=.*not finite.*Ready ones"):
        make_term("kinesthetic", reward=text)


@pytest.mark.parametrize(
    "text",
    ["-" * 3000 + "align", "-" * 100_000 + "align", "(" * 90 + "-" * 200 + "align" + ")" * 90, "(" * 500 + ")" * 500,
     "krc(align, " * 150 + "align" + ")" * 150, "+".join(["align"] * 400)],
)  # fmt: skip
def test_a_reward_that_is_nested_too_deeply_is_refused_in_a_short_sentence(text):
    with pytest.raises(ValueError, match=r"nested|cannot be read") as refused:
        make_term("kinesthetic", reward=text)
    assert len(str(refused.value)) < 700


def test_a_reward_may_be_nested_as_deeply_as_people_write():
    term = bound(reward="+".join(["align"] * 90), events="-" * 90 + "touch")
    start(term, at(0.0))
    assert step(term, at(0.0))[0] == pytest.approx(90 * value("align"))


def test_every_preset_is_an_expression():
    for text in (*REWARDS.values(), *EVENTS.values()):
        assert np.isfinite(parse(text)(View(situation(4, 3)))).all()


# The term -----------------------------------------------------------------------------------------


def bound(n=1, gamma=0.9, **arguments):
    term = make_term("kinesthetic", **{"reward": "ball_y"} | arguments)
    world = corridors(1)
    term.bind(Setting(n, world.observation_space, world.action_space, gamma, 0))
    return term


def step(term, states, terminated=False, truncated=False):
    n = states.boost.size
    infos = [{"states": states} for _ in range(n)]
    flags = np.full(n, terminated), np.full(n, truncated)
    batch = Transitions(np.zeros((n, 1)), np.zeros(n), np.zeros(n), np.zeros((n, 1)), *flags, infos)
    return term(batch)


def start(term, states, mask=None):
    n = states.boost.size
    term.reset(np.zeros((n, 1)), [{"states": states}] * n, np.ones(n, bool) if mask is None else mask)


def at(y, n=1, **more):
    return situation(n, ball_position=[0, y * (5120 + BALL_RADIUS), 93], **more)


def test_the_direct_form_pays_the_value_and_the_potential_form_its_difference():
    term = bound()
    start(term, at(0.1))
    assert step(term, at(0.5)) == pytest.approx([0.5])
    for discount, gamma in (("one", 1.0), ("agent", 0.9)):
        term = bound(form="potential", discount=discount)
        start(term, at(0.1))
        assert step(term, at(0.5)) == pytest.approx([gamma * 0.5 - 0.1])
        assert step(term, at(0.2)) == pytest.approx([gamma * 0.2 - 0.5])


def test_potential_differences_telescope_and_never_cross_an_episodes_border():
    term = bound(2, form="potential")
    start(term, at(0.3, 2))
    total = sum(step(term, at(y, 2)) for y in (0.5, -0.4, 0.8))
    assert total == pytest.approx([0.5, -0.5], abs=1e-9)  # the second car is orange
    start(term, at(-0.9, 2))
    assert step(term, at(-0.9, 2)) == pytest.approx([0, 0])


def test_the_potential_is_zero_after_termination_only_where_that_is_asked_for():
    for terminal, expected in (("keep", 0.4), ("zero", -0.1)):
        term = bound(form="potential", terminal=terminal)
        start(term, at(0.1))
        assert step(term, at(0.5), terminated=True) == pytest.approx([expected])
        start(term, at(0.1))
        assert step(term, at(0.5), truncated=True) == pytest.approx([0.4])


def test_a_negative_slope_scales_losses():
    term = bound(form="potential", negative_slope=0.5)
    start(term, at(0.5))
    assert step(term, at(0.1)) == pytest.approx([-0.2])


def test_a_touch_pays_what_the_ball_gained_towards_the_goal_for_every_car_that_touched():
    term = bound(2, reward="none", events="2*touch_acceleration")
    high = {"ball_position": [0, 0, GOAL[2]]}
    start(term, situation(2, **high))
    fast = situation(2, ball_velocity=[0, 1150, 0], touched=[[True, True]], **high)
    assert step(term, fast) == pytest.approx([1.0, -1.0])
    assert step(term, fast) == pytest.approx([0.0, 0.0])
    still = situation(2, ball_velocity=[0, 0, 0], **high)
    assert step(term, still) == pytest.approx([0.0, 0.0])


def test_what_changes_is_compared_with_the_step_before_and_with_nothing_at_an_episodes_start():
    fast, more = {"ball_velocity": [0, 2300, 0]}, {"boost": 0.49}
    for text, now, expected in (
        ("boost_gain", more, 0.2),
        ("boost_loss", more, 0.0),
        ("boost_gain", {"boost": 0.04}, 0.0),
        ("boost_loss", {"boost": 0.04}, 0.3),
        ("touch_speed_change", fast, 0.0),
        ("touch_speed_change", {**fast, "touched": True}, 1.0),
    ):
        term = bound(reward="none", events=text)
        start(term, situation())
        assert step(term, situation(**now)) == pytest.approx([expected]), text
        assert step(term, situation(**now)) == pytest.approx([0.0])
        start(term, situation(**now))  # another episode
        assert step(term, situation(**now)) == pytest.approx([0.0])
    term = bound(reward="none", events="goal_speed")
    start(term, situation(ball_velocity=[0, 3000, 0]))
    assert step(term, situation(events={"goal": 1.0})) == pytest.approx([0.5])


def test_necto_s_components_by_hand():
    in_goal = {"ball_position": [0, 5560, GOAL[2]]}
    assert value("goal_nearness", **in_goal) == pytest.approx(1.0)
    assert value("goal_nearness(own_goal=True)", **in_goal) == pytest.approx(math.exp(-11120 / 2300))
    assert value("ball_nearness") == pytest.approx(math.exp(-math.hypot(1000, 76) / 1410))
    conceded = {"events": {"concede": 1.0}, "car_position": [0, -2300, 93.0]}
    assert value("concede_distance", **conceded) == pytest.approx(1 - math.exp(-1))


def test_pressure_is_paid_when_it_ends_and_forgotten_with_the_episode():
    """Both attackers near the orange goal, one defender: 1/2 + 1/2 (1 - 1/2) = 0.75 a step."""
    cars = [[0, 4000, 17], [500, 4000, 17], [0, 4500, 17], [0, -4000, 17]]
    there = {"ball_position": [0, 4000, 93], "car_position": [cars]}
    midfield = {"ball_position": [0, 0, 93], "car_position": [cars]}

    def fading(t):
        return (1 - (t - 1) / 90) ** 0.7

    def played(steps, **last):
        term = bound(4, reward="none", events="pressure")
        start(term, situation(4, **midfield))
        for _ in range(steps):
            assert step(term, situation(4, **there)) == pytest.approx([0.0] * 4)
        return term, step(term, situation(4, **last))

    level = 0.75 * fading(5)
    scored = {"team_goal": [[1, 1, 0, 0]], "concede": [[0, 0, 1, 1]]}
    _, paid = played(4, **there, events=scored)
    assert paid == pytest.approx([5.5 * level] * 2 + [-4.5 * (1 - level)] * 2)
    _, paid = played(4, **midfield)
    assert paid == pytest.approx([0.0, 0.0] + [1.75 * 0.75 * fading(4)] * 2)
    _, paid = played(2, **midfield)
    assert paid == pytest.approx([0.0] * 4)
    term, _ = played(3, **there)
    start(term, situation(4, **midfield))
    assert step(term, situation(4, **midfield)) == pytest.approx([0.0] * 4)


def test_team_spirit_sums_to_zero_between_two_and_shares_in_a_team():
    rewards = np.array([[3.0, 1.0]])
    assert rewards @ shares(np.array([False, True]), 0.3) == pytest.approx(np.array([[2.0, -2.0]]))
    four = np.array([[4.0, 0.0, 1.0, 3.0]]) @ shares(np.array([False, False, True, True]), 0.5)
    assert four == pytest.approx(np.array([[3 - 2, 1 - 2, 1.5 - 2, 2.5 - 2]]))
    assert (np.array([[4.0, 0.0]]) @ shares(np.array([False, False]), 1.0)).tolist() == [[2.0, 2.0]]
    term = bound(2, events="goals", team_spirit=0.3)
    start(term, at(0.0, 2))
    scored = at(0.0, 2, events={"team_goal": [[1.0, 0.0]], "concede": [[0.0, 1.0]]})
    assert step(term, scored) == pytest.approx([10.0, -10.0])


def test_rows_are_arenas_times_cars():
    term = bound(4)
    balls = np.array([[0, 1.0, 0], [0, -2.0, 0]]) * (5120 + BALL_RADIUS) / 4
    states = situation(2, 2, ball_position=balls)
    start(term, states)
    assert step(term, states) == pytest.approx([0.25, -0.25, -0.5, 0.5])


def test_metrics_tell_of_every_component():
    term = bound(reward="krc(align, save_boost)", events="goals")
    start(term, at(0.0))
    step(term, at(0.0))
    metrics = term.update([])
    assert metrics["save_boost/mean"] == 0.5
    assert metrics["team_goal/max"] == 0.0
    assert not term.update([])


def test_it_works_in_a_shaped_environment_and_names_what_is_missing():
    venv = ShapedVecEnv(
        driven(2), {"kinesthetic": make_term("kinesthetic", reward="player_to_ball_distance")}, gamma=0.9
    )
    venv.reset()
    rewards = [venv.step(np.ones(2, int))[1] for _ in range(3)]
    assert (np.diff(np.array(rewards), axis=0) > 0).all()
    assert not len(venv.take_rollout()), "its update reads no rollout, so none is kept"
    assert "terms/kinesthetic/player_to_ball_distance/mean" in venv.update_terms()
    assert not venv.update_terms()
    bare = ShapedVecEnv(corridors(2), {"kinesthetic": make_term("kinesthetic")}, gamma=0.9)
    with pytest.raises(RewardTermError, match="states"):
        bare.reset()


@pytest.mark.parametrize(
    "arguments",
    [{"form": "both"}, {"discount": "none"}, {"terminal": "one"}, {"team_spirit": 2.0}, {"negative_slope": math.nan}],
)
def test_arguments_that_cannot_be_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        make_term("kinesthetic", **arguments)
