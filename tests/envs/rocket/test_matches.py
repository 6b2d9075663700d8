"""Matches and their vector environment: goals, touches, symmetry, seeds, what is refused."""

from __future__ import annotations

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from stable_baselines3.common.policies import ActorCriticPolicy

import envs
from envs.catalogue import Request
from envs.rocket import MatchConfig, RocketVecEnv, rocket_v0
from envs.rocket.actions import KeyboardActions, TableActions, lookup_table, shoot_table
from envs.rocket.bots import BOTS
from envs.rocket.drivers import FrozenAgent, PlayerDriver
from envs.rocket.matches import GOAL_LINE, Matches
from envs.rocket.saved_policy import SavedPolicy
from envs.rocket.start_mixture import StartMixture, angles
from envs.rocket.starts import CAR_REST, STARTS, Start, check
from foundation.plain_state import Untrusted
from tests.payload import Payload, pickled, with_attribute, with_weights

FORWARD, NOTHING, BOOST = 16, 8, 18
TURN = np.array([-1.0, -1.0, 1.0])


def facing_the_goal(orange=False):
    """A car behind the ball, which lies before an open goal."""
    side = TURN if orange else np.ones(3)
    return {
        "ball_position": np.array([0.0, 4200.0, 93.0]) * side,
        "car": np.array([0.0, 3000.0, CAR_REST]) * side,
        "yaw": -np.pi / 2 if orange else np.pi / 2,
    }


def test_a_goal_pays_the_team_names_the_scorer_and_ends_the_episode():
    for orange in (False, True):
        venv = RocketVecEnv(
            MatchConfig(1, 1), Request(2, report=("states", "events"), events=("goal", "concede", "touch"))
        )
        venv.reset()
        place = facing_the_goal(orange)
        other = np.array([3000.0, 0.0, CAR_REST])
        cars, yaw = np.stack([other, place["car"]]), np.array([0.0, place["yaw"]])
        if not orange:
            cars, yaw = cars[::-1].copy(), yaw[::-1].copy()
        venv.begin(0, Start(ball_position=place["ball_position"], car_position=cars, yaw=yaw, boost=np.ones(2)))
        actions, scorer, happened = [NOTHING, NOTHING], int(orange), set()
        actions[scorer] = BOOST
        for _ in range(60):
            _, rewards, dones, infos = venv.step(np.array(actions))
            happened |= {(row, name) for row, info in enumerate(infos) for name in info.get("events", ())}
            if dones.any():
                break
        assert dones.all()
        assert rewards.tolist() == ([-1.0, 1.0] if orange else [1.0, -1.0])
        assert happened == {(scorer, "touch"), (scorer, "goal"), (1 - scorer, "concede")}
        assert [info["is_success"] for info in infos] == [not orange, orange]
        assert not infos[0]["TimeLimit.truncated"]
        assert abs(infos[0]["states"].ball_position[0, 1]) > 5200, "the state before the reset"
        assert abs(venv.reset_infos[0]["states"].ball_position[0, 1]) < 5000
        assert infos[0]["terminal_observation"].shape == venv.observation_space.shape


def test_mirrored_matches_look_and_pay_the_same_to_both_sides():
    config = MatchConfig(1, 1, observation="flat")
    rng = np.random.default_rng(4)
    position = np.array([[900.0, -1500, CAR_REST], [-700.0, 1800, CAR_REST]])
    yaw, ball, speed = np.array([1.0, -2.0]), np.array([200.0, 300, 400]), np.array([500.0, -300, 200])
    start = Start(ball_position=ball, ball_velocity=speed, car_position=position, yaw=yaw, boost=np.array([0.5, 0.9]))
    mirrored = Start(
        ball_position=ball * TURN, ball_velocity=speed * TURN, car_position=(position * TURN)[::-1],
        yaw=(yaw + np.pi)[::-1], boost=np.array([0.9, 0.5]),
    )  # fmt: skip
    venvs = [RocketVecEnv(config, Request(2)) for _ in range(2)]
    for venv, situation in zip(venvs, (start, mirrored), strict=True):
        venv.reset()
        seen = venv.begin(0, situation)
    for _ in range(40):
        actions = rng.integers(90, size=2)
        seen = [venv.step(a)[0] for venv, a in zip(venvs, (actions, actions[::-1]), strict=True)]
        assert seen[0] == pytest.approx(seen[1][::-1], abs=2e-3)


@pytest.mark.parametrize("observation", ["flat", "lucy", "necto"])
@pytest.mark.parametrize(("blue", "orange"), [(1, 0), (1, 1), (2, 1), (3, 3)])
def test_teams_of_every_size_play(observation, blue, orange):
    cars = blue + orange
    venv = RocketVecEnv(MatchConfig(blue, orange, observation=observation, seconds=2.0), Request(2 * cars, seed=1))
    observations = venv.reset()
    assert venv.observation_space.contains(observations[0])
    rng, ends = np.random.default_rng(0), 0
    for _ in range(65):
        observations, _, dones, infos = venv.step(rng.integers(90, size=2 * cars))
        assert np.isfinite(observations).all()
        ends += int(dones.sum())
        assert all(infos[row]["TimeLimit.truncated"] for row in np.flatnonzero(dones))
    assert ends == 2 * 2 * cars


def test_lucys_matrix_has_its_columns():
    venv = RocketVecEnv(MatchConfig(1, 1, observation="lucy"), Request(2))
    venv.reset()
    observations, *_ = venv.step(np.array([BOOST, FORWARD]))
    states = venv.states
    for car, side in ((0, np.ones(3)), (1, TURN)):
        rows = observations[car]
        assert rows[0, :4].tolist() == [1, 1, 0, 0]
        assert rows[1, :4].tolist() == [0, 0, 0, 1]
        assert rows[2, :4].tolist() == [1, 1, 0, 0]
        assert rows[3, :4].tolist() == [0, 0, 1, 0]
        assert rows[:, 63].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
        place = states.car_position[0, car] * side
        assert rows[0, 4:7] == pytest.approx(place / 2300, abs=1e-5)
        assert rows[1, 4:7] == pytest.approx((states.ball_position[0] * side - place) / 2300, abs=1e-5)
        assert not rows[2, 4:10].any()
        other = (states.car_position[0, 1 - car] - states.car_position[0, car]) * side
        assert rows[3, 4:7] == pytest.approx(other / 2300, abs=1e-5)
        assert not rows[4:, :63].any()
        assert rows[0, 23:31].tolist() == lookup_table()[[BOOST, FORWARD][car]].tolist()
        assert not rows[0, 31:63].any()


@pytest.mark.parametrize(("observation", "position"), [("lucy", slice(4, 7)), ("necto", slice(5, 8))])
def test_cars_come_in_the_order_itself_team_mates_opponents_whoever_looks(observation, position):
    venv = RocketVecEnv(MatchConfig(2, 3, observation=observation), Request(5))
    venv.reset()
    observations, *_ = venv.step(np.array([BOOST, FORWARD, NOTHING, BOOST, FORWARD]))
    places = venv.states.car_position[0]
    for viewer, expected in enumerate(([0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [2, 3, 4, 0, 1], [3, 2, 4, 0, 1],
                                       [4, 2, 3, 0, 1])):  # fmt: skip
        rows, orange = observations[viewer], viewer >= 2
        mates = 3 if orange else 2
        assert rows[2:7, :3].tolist() == [[1, 1, 0], *[[0, 1, 0]] * (mates - 1), *[[0, 0, 1]] * (5 - mates)]
        for row, car in zip(rows[2:7], expected, strict=True):
            seen = (places[car] - places[viewer]) * (TURN if orange else 1)
            assert row[position] == pytest.approx(seen / 2300, abs=1e-5)


def test_nectos_matrix_has_its_columns_and_times_what_is_gone():
    venv = RocketVecEnv(MatchConfig(1, 1, observation="necto"), Request(2))
    venv.reset()
    big, small = np.array([-3072.0, -4096.0]), np.array([0.0, -2816.0])  # pads 3 and 7
    cars = np.array([[*big, CAR_REST], [*-small, CAR_REST]])
    venv.begin(0, Start(np.array([0.0, 0.0, 93.0]), cars, yaw=np.array([0.5, -2.0])))
    observations, *_ = venv.step(np.array([NOTHING, FORWARD]))
    states = venv.states
    for car, (taken, other) in enumerate(((3, 33 - 7), (7, 33 - 3))):
        rows, side = observations[car], (np.ones(3), TURN)[car]
        place = states.car_position[0, car] * side
        assert rows[0, :5].tolist() == [1, 1, 0, 0, 0]
        assert rows[1, :5].tolist() == [0, 0, 0, 1, 0]
        assert rows[2, :5].tolist() == [1, 1, 0, 0, 0]
        assert rows[3, :5].tolist() == [0, 0, 1, 0, 0]
        assert (rows[8:, :5] == [0, 0, 0, 0, 1]).all()
        assert rows[:, 32].tolist() == [0] * 4 + [1] * 4 + [0] * 34
        assert rows[0, 5:8] == pytest.approx(place / 2300, abs=1e-5)
        assert rows[8 + taken, 5:7] == pytest.approx(((big, -small)[car] * side[:2] - place[:2]) / 2300, abs=1e-5)
        assert rows[0, 20] == pytest.approx(states.boost[0, car])
        assert rows[8 + taken, 20] == pytest.approx((1.0, 0.12)[car])
        assert rows[8 + taken, 21] == pytest.approx((1.0, 0.4)[car])
        assert rows[8 + other, 21] == pytest.approx((0.4, 1.0)[car])
        assert np.count_nonzero(rows[8:, 21]) == 2
        assert rows[0, 24:32].tolist() == lookup_table()[[NOTHING, FORWARD][car]].tolist()
        assert not rows[1:, 24:32].any()
    for step in range(1, 10 * 15 + 3):  # orange stays on its pad and takes it again whenever it is back
        seconds = venv._observe()[0, [8 + 3, 8 + 33 - 7], 21] * 10
        assert seconds[0] == pytest.approx(max(0.0, 10 - (step - 1) / 15), abs=1e-3)
        since = (step - 1) / 15 % 4
        assert seconds[1] == pytest.approx(4 - since, abs=0.2) or min(since, 4 - since) < 0.3
        assert venv.states.pads[0, 3] == (step >= 10 * 15 + 1), step
        venv.step(np.array([NOTHING, NOTHING]))


def test_action_tables_are_the_communitys():
    table = lookup_table()
    assert table.shape == (90, 8)
    assert len(np.unique(table, axis=0)) == 90
    assert set(np.unique(table[:, 5:])) == {0, 1}, "jump, boost and handbrake are pressed or not"
    assert table[:, 7].sum() == 28
    pressed = [*range(1, 24, 2), 32, 33, 36, 37, 40, 41, 54, 55, 60, 61, 74, 75, 78, 79, 82, 83]
    assert np.flatnonzero(table[:, 7]).tolist() == pressed
    assert table[NOTHING].tolist() == [0] * 8
    assert table[BOOST].tolist() == [1, 0, 0, 0, 0, 0, 1, 0]
    assert shoot_table().shape == (9, 8)
    keys = KeyboardActions()(np.array([[2, 0, 1, 0, 0], [0, 2, 0, 1, 1]]))
    assert keys.tolist() == [[1, -1, -1, -1, 0, 1, 0, 0], [-1, 1, 1, 0, 1, 0, 1, 1]]
    masks = TableActions(table).masks(np.array([True, False]), np.array([0.5, 0.0]), np.array([True, False]))
    assert masks[0].all()
    assert not masks[1][table[:, 5] + table[:, 6] > 0].any()
    assert masks[1][NOTHING]


def test_the_same_seed_is_the_same_match_and_evaluation_starts_elsewhere():
    def play(seed, split="train"):
        venv = envs.make_vec("Rocket1v1-v0", 4, seed=seed, split=split)
        venv.reset()
        seeds = [info["episode_seed"] for info in venv.reset_infos]
        rng = np.random.default_rng(0)
        return seeds, [venv.step(rng.integers(90, size=4))[0] for _ in range(30)]

    (seeds, first), (_, again), (other, _), (evaluation, _) = play(1), play(1), play(2), play(1, "eval")
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not {*seeds} & {*other, *evaluation}
    assert len({*seeds}) == 2


def test_the_stream_of_starts_goes_on_after_a_resume():
    venv = envs.make_vec("RocketShoot-v0", 2, seed=0)
    venv.reset()
    state = venv.state_dict()
    other = envs.make_vec("RocketShoot-v0", 2, seed=0)
    other.load_state_dict(state)
    other.reset()
    assert {i["episode_seed"] for i in venv.reset_infos}.isdisjoint(i["episode_seed"] for i in other.reset_infos)
    with pytest.raises(ValueError, match="5 environments, these are 2"):
        other.load_state_dict({"episodes": np.zeros(5)})


def test_statistics_count_over_an_episode_and_begin_anew():
    venv = RocketVecEnv(MatchConfig(1, 1, seconds=4.0, no_touch_seconds=None), Request(2, report=("stats", "states")))
    venv.reset()
    venv.begin(0, Start(np.array([0.0, 0.0, 93.0]), np.array([[0.0, -600.0, CAR_REST], [3000.0, 3000.0, CAR_REST]]),
                        yaw=np.array([np.pi / 2, 0.0])))  # fmt: skip
    touches, statistics = np.zeros(2), []
    for _ in range(2 * 60):
        _, _, dones, infos = venv.step(np.array([FORWARD, NOTHING]))
        touches += infos[0]["states"].events["touch"][0]
        if dones.any():
            statistics.append([info["stats"] for info in infos])
            assert [stats["touches"] for stats in statistics[-1]] == touches.tolist()
            touches[:] = 0
        else:
            assert "stats" not in infos[0]
    assert [stats["touched"] for stats in statistics[0]] == [1.0, 0.0]
    assert len(statistics) == 2


def test_idle_matches_are_cut_short():
    venv = RocketVecEnv(MatchConfig(1, 1, no_touch_seconds=1.0), Request(2))
    venv.reset()
    played = [venv.step(np.array([NOTHING, NOTHING])) for _ in range(15)]
    assert [bool(dones.any()) for _, _, dones, _ in played] == [False] * 14 + [True]
    assert played[-1][3][0]["TimeLimit.truncated"]


@pytest.mark.parametrize("name", sorted(STARTS))
def test_every_start_is_on_the_field(name):
    rng, orange = np.random.default_rng(0), np.array([False, False, True, True])
    for _ in range(50):
        check(STARTS[name](rng, orange), 4)


def test_situations_are_replayed_from_a_file(tmp_path):
    ball, cars = np.zeros((3, 9)), np.zeros((3, 2, 13))
    ball[:, 2], ball[:, 0], cars[:, :, 2], cars[:, 0, 0], cars[:, :, 12] = 500, [1, 2, 3], CAR_REST, 800, 0.7
    file = tmp_path / "situations.npz"
    np.savez(file, ball=ball, cars=cars)
    venv = RocketVecEnv(MatchConfig(1, 1, starts={"replay": 1}, replay_file=file), Request(2))
    venv.reset()
    assert round(float(venv.states.ball_position[0, 0])) in (1, 2, 3)
    assert venv.states.boost[0] == pytest.approx([0.7, 0.7])
    cars[1, 0, 0] = 9000
    np.savez(file, ball=ball, cars=cars)
    with pytest.raises(ValueError, match=r"situation 1: a car .* outside"):
        StartMixture({"replay": 1}, 2, file)
    with pytest.raises(ValueError, match="expected"):
        StartMixture({"replay": 1}, 3, file)


@pytest.mark.parametrize(
    "place",
    [(0.0, 5150.0, 93.0), (800.0, -5200.0, 550.0)],
)
def test_a_ball_in_the_goals_mouth_is_no_goal_yet_and_a_start(place):
    check(Start(ball_position=np.array(place), car_position=np.array([[600.0, 5900.0, 17.0], [0, -5600, 300]])), 2)


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"),
    [(0.5, 0.3, 0.8), (-2.0, -1.2, 3.0), (3.1, 0.0, -1.5), (1.0, np.pi / 2, 0.0), (-0.4, -np.pi / 2, 0.0)],
)
def test_angles_of_a_recorded_car_are_those_it_was_placed_with(yaw, pitch, roll):
    """RocketSim's rotation is the judge; cars on walls stand upright: yaw and roll are one."""
    matches = Matches(1, 1, 0)
    start = Start(ball_position=np.array([0.0, 0.0, 93.0]), car_position=np.array([[500.0, 0.0, 700.0]]),
                  yaw=np.array([yaw]), pitch=np.array([pitch]), roll=np.array([roll]))  # fmt: skip
    matches.reset(0, start)
    states = matches.states()
    again = angles(states.car_forward[0].astype(float), states.car_up[0].astype(float))[0]
    matches.reset(0, replace(start, yaw=again[:1], pitch=again[1:2], roll=again[2:]))
    assert matches.states().car_forward[0] == pytest.approx(states.car_forward[0], abs=2e-4)
    assert matches.states().car_up[0] == pytest.approx(states.car_up[0], abs=2e-4)


def test_pictures_show_the_match():
    venv = envs.make_vec("Rocket2v2-v0", 4, render_mode="rgb_array")
    venv.reset()
    first = venv.get_images()[0]
    for _ in range(20):
        venv.step(np.full(4, BOOST))
    later = venv.get_images()[0]
    assert first.shape == later.shape
    assert first.dtype == np.uint8
    assert (first != later).any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"observation": "pixels"}, "shoot, flat, lucy"),
        ({"actions": "mouse"}, "lookup, shoot, keyboard"),
        ({"blue": 4}, "blue=4"),
        ({"blue": 0, "orange": 0}, "one has a car"),
        ({"tick_skip": 7}, "tick_skip=7"),
        ({"seconds": 0.0}, "seconds=0"),
        ({"starts": {"nowhere": 1.0}}, "nowhere"),
        ({"starts": {"kickoff": 0.0}}, "above 0"),
        ({"starts": {"replay": 1.0}}, "replay_file"),
        ({"wheels": 5}, "wheels"),
        ({"workers": 2}, "3 share 2 arenas"),
        ({"report": ["caption"]}, "caption"),
    ],
)
def test_what_cannot_be_played_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        envs.make_vec("Rocket1v1-v0", 4 if "blue" not in arguments else 12, **arguments)


def test_rows_that_fill_no_arena_and_bad_controls_are_refused():
    with pytest.raises(ValueError, match="multiple of 4"):
        envs.make_vec("Rocket2v2-v0", 6)
    matches = Matches(1, 1, 1)
    for bad in (np.nan, 1.5, -np.inf):
        controls = np.zeros((1, 2, 8), np.float32)
        controls[0, 1, 1] = bad
        with pytest.raises(ValueError, match="-1 to 1"):
            matches.step(controls)
    with pytest.raises(ValueError, match="shape"):
        matches.step(np.zeros((1, 1, 8), np.float32))
    for start, words in (
        (Start(ball_position=np.array([0, 5300.0, 100]), car_position=np.zeros((2, 3))), "behind the goal line"),
        (Start(ball_position=np.array([950.0, 5150.0, 100]), car_position=np.zeros((2, 3))), "outside the field"),
        (Start(ball_position=np.zeros(3), car_position=np.array([[0, -5500, 660.0], [0, 0, 17]])), "outside the field"),
        (Start(ball_position=np.zeros(3), car_position=np.array([[0, 6010, 17.0], [0, 0, 17]])), "outside the field"),
        (Start(ball_position=np.array([0, np.nan, 100]), car_position=np.zeros((2, 3))), "not finite"),
        (Start(ball_position=np.zeros(3), car_position=np.zeros((1, 3))), "shape"),
    ):
        with pytest.raises(ValueError, match=words):
            matches.reset(0, start)
    venv = envs.make_vec("Rocket1v1-v0", 2)
    venv.reset()
    with pytest.raises(ValueError, match="0 to 89"):
        venv.step(np.array([0, 90]))
    with pytest.raises(ValueError, match="whole numbers"):
        venv.step(np.array([0.5, np.nan]))


# Opponents and other faces ------------------------------------------------------------------------


@pytest.mark.parametrize("opponent", ["idle", "random", "chase_ball", "goalie"])
def test_a_bot_drives_the_orange_cars_and_the_blue_ones_are_the_rows(opponent):
    venv = RocketVecEnv(MatchConfig(2, 1, opponent=opponent), Request(4, report=("states",)))
    observations = venv.reset()
    assert len(observations) == 4
    before = venv.states.car_position[:, 2].copy()
    for _ in range(20):
        observations, rewards, _, infos = venv.step(np.full(4, NOTHING))
        assert rewards.shape == (4,)
    assert infos[0]["states"].rows.tolist() == [True, True, False]
    moved = np.linalg.norm(venv.states.car_position[:, 2] - before, axis=1)
    assert (moved < 5).all() if opponent == "idle" else (moved > 20).any()


def test_the_chasing_bot_touches_the_ball_and_beats_nobody_at_home():
    venv = RocketVecEnv(MatchConfig(1, 1, opponent="chase_ball", seconds=15.0), Request(8, report=("events", "states")))
    venv.reset()
    touches = 0.0
    for _ in range(150):
        *_, infos = venv.step(np.full(8, NOTHING))
        touches += infos[0]["states"].events["touch"][:, 1].sum()
    assert touches >= 6


def test_an_agents_file_plays_the_other_side(tmp_path):
    from stable_baselines3 import PPO

    venv = RocketVecEnv(MatchConfig(1, 1), Request(2))
    PPO("MlpPolicy", venv, n_steps=8, batch_size=16).save(tmp_path / "agent.zip")
    against = RocketVecEnv(MatchConfig(1, 1, opponent=tmp_path / "agent.zip"), Request(3))
    against.reset()
    for _ in range(5):
        against.step(np.full(3, BOOST))
    (tmp_path / "broken.zip").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="holds no agent"):
        RocketVecEnv(MatchConfig(1, 1, opponent=tmp_path / "broken.zip"), Request(1))
    for wrong in ({"opponent": "messi"}, {"opponent": "idle", "orange": 0}):
        with pytest.raises(ValueError, match="opponent="):
            MatchConfig(**wrong)


def test_a_file_plays_what_its_algorithm_would_and_loading_it_draws_no_random_number(tmp_path):
    import torch
    from stable_baselines3 import A2C, PPO

    venv = RocketVecEnv(MatchConfig(1, 1), Request(2))
    observations = venv.reset()
    for algorithm in (PPO, A2C):
        algorithm("MlpPolicy", venv, seed=4, n_steps=8).save(tmp_path / "agent.zip")
        agent = algorithm.load(tmp_path / "agent.zip", device="cpu")
        torch.manual_seed(1)
        expected, _ = agent.predict(observations, deterministic=False)
        torch.manual_seed(1)
        actions = SavedPolicy(tmp_path / "agent.zip")(observations, np.ones(2, bool), venv.action_masks())
        assert actions.tolist() == expected.tolist()


@pytest.mark.parametrize("name", ["policy_class", "policy_kwargs", "observation_space", "action_space", "policy.pth"])
def test_an_opponents_file_runs_nothing_unless_it_is_trusted(tmp_path, name):
    from stable_baselines3 import PPO

    file, marker = tmp_path / "agent.zip", tmp_path / "marker"
    PPO("MlpPolicy", RocketVecEnv(MatchConfig(1, 1), Request(2)), n_steps=8, batch_size=16).save(file)
    if name == "policy.pth":
        with_weights(file, Payload(marker))
    else:
        with_attribute(file, name, pickled(Payload(marker)))
    with pytest.raises(Untrusted, match="run"):
        RocketVecEnv(MatchConfig(1, 1, opponent=file), Request(1))
    assert not marker.exists()


class OfSomebodyElse(ActorCriticPolicy):
    """A policy that is in no package of ours."""


def test_a_trusted_opponent_may_have_a_policy_of_its_own(tmp_path):
    from stable_baselines3 import PPO

    venv = RocketVecEnv(MatchConfig(1, 1), Request(2))
    PPO(OfSomebodyElse, venv, n_steps=8, batch_size=16).save(tmp_path / "agent.zip")
    with pytest.raises(Untrusted, match=r"its policy_class is a pickle .*OfSomebodyElse.*trust=true"):
        RocketVecEnv(MatchConfig(1, 1, opponent=tmp_path / "agent.zip"), Request(1))
    RocketVecEnv(MatchConfig(1, 1, opponent=tmp_path / "agent.zip", trust=True), Request(1)).reset()


def test_a_recurrent_policys_states_are_kept_and_begin_anew_with_an_arena(tmp_path):
    from sb3_contrib import RecurrentPPO

    venv = RocketVecEnv(MatchConfig(1, 1), Request(2))
    RecurrentPPO("MlpLstmPolicy", venv, n_steps=8, batch_size=16).save(tmp_path / "agent.zip")
    driver = FrozenAgent(tmp_path / "agent.zip", "flat", "lookup", 3, np.array([False, True]))
    matches, cars, left = Matches(3, 1, 1), np.array([1]), np.ones(3)
    states = matches.states()
    memory = []
    for begins in ([0, 1, 2], [], [1]):
        driver.begin(np.array(begins, int), np.array(begins, int))
        driver(states, cars, left)
        memory.append(driver._player._states[0][0].copy())
    first, second, third = memory
    assert not np.allclose(first, second)
    assert np.allclose(third[1], first[1], atol=1e-6)
    assert not np.allclose(third[0], first[0])


def test_a_driver_asks_any_player_and_says_which_rows_begin():
    asked = []

    def player(observations, begins, masks):
        asked.append((observations.shape, begins.tolist()))
        assert masks.shape == (len(observations), 90)
        return np.full(len(observations), BOOST)

    driver = PlayerDriver(player, "flat", "lookup", 2, np.array([False, True, True]))
    matches, cars = Matches(2, 1, 2), np.array([1, 2])
    for begins in ([0, 1], [], [1]):
        driver.begin(np.array(begins, int), np.array(begins, int))
        controls = driver(matches.states(), cars, np.ones(2))
    assert controls.tolist() == [[lookup_table()[BOOST].tolist()] * 2] * 2
    assert [begins for _, begins in asked] == [[True] * 4, [False] * 4, [False, False, True, True]]
    assert {shape[0] for shape, _ in asked} == {4}


@pytest.mark.parametrize("actions", ["lookup", "keyboard"])
def test_a_masked_policy_never_boosts_in_vain_as_an_opponent(tmp_path, actions):
    from sb3_contrib import MaskablePPO

    venv = RocketVecEnv(MatchConfig(1, 1, actions=actions), Request(2))
    MaskablePPO("MlpPolicy", venv, n_steps=8, batch_size=16, seed=1).save(tmp_path / "agent.zip")
    driver = FrozenAgent(tmp_path / "agent.zip", "flat", actions, 64, np.array([False, True]))
    matches, boost = Matches(64, 1, 1), np.tile([0.0, 1.0], 32)
    for arena in range(64):
        matches.reset(arena, replace(STARTS["kickoff"](np.random.default_rng(0), matches.orange), boost=boost[:2]))
    controls = np.concatenate([driver(matches.states(), np.array([0, 1]), np.ones(64)) for _ in range(5)])
    assert not controls[:, 0, 6].any(), "the first car has none"
    assert controls[:, 1, 6].any()


def test_an_opponent_of_files_and_one_of_chance_play_the_same_after_the_same_seed(tmp_path):
    from stable_baselines3 import PPO

    PPO("MlpPolicy", RocketVecEnv(MatchConfig(1, 1), Request(2)), n_steps=8, batch_size=16).save(tmp_path / "a.zip")
    for opponent in ("random", tmp_path / "a.zip"):
        env = gymnasium.make("breadcrumb/Rocket1v1-v0", opponent=opponent, report=["states"])
        plays = []
        for seed in (3, 3, 4):
            env.reset(seed=seed)
            plays.append([env.step(NOTHING)[4]["states"].car_position[0, 1] for _ in range(12)])
        assert np.array_equal(plays[0], plays[1])
        assert not np.array_equal(plays[0], plays[2])


@pytest.mark.parametrize("opponent", ["random", "idle"])
def test_a_vector_environment_that_is_seeded_again_plays_again(opponent):
    venv = RocketVecEnv(MatchConfig(1, 1, opponent=opponent, seconds=1.0), Request(3, report=("states",)))
    plays = []
    for _ in range(2):
        venv.seed(5)
        venv.reset()
        plays.append([venv.step(np.full(3, FORWARD))[3][0]["states"].car_position for _ in range(40)])
    assert np.array_equal(*plays)


def test_two_cars_of_chance_do_not_mirror_each_other():
    driver, other = BOTS["random"](), BOTS["random"]()
    states, seeds = Matches(2, 1, 1).states(), np.array([7, 8])
    for bot in (driver, other):
        bot.begin(np.array([0, 1]), seeds)
    mine, theirs = (bot(states, np.array([car]), np.ones(2)) for car, bot in enumerate((driver, other)))
    assert not np.array_equal(mine, theirs)
    assert not np.array_equal(mine[0], mine[1]), "arenas have seeds of their own"


@pytest.mark.parametrize("tick_skip", [8, 60, 120])
@pytest.mark.parametrize("orange_goal", [True, False])
def test_a_goal_pays_however_long_a_step_is(tick_skip, orange_goal):
    side = np.ones(3) if orange_goal else TURN
    venv = RocketVecEnv(MatchConfig(1, 1, tick_skip=tick_skip), Request(2, report=("states",)))
    venv.reset()
    venv.begin(0, Start(ball_position=np.array([0.0, 4000.0, 300.0]) * side,
                        ball_velocity=np.array([0.0, 5500.0, 0.0]) * side,
                        car_position=np.array([[3000.0, 0, 17], [-3000, 0, 17]])))  # fmt: skip
    for _ in range(120 // tick_skip):
        _, rewards, dones, infos = venv.step(np.array([NOTHING, NOTHING]))
        if dones.any():
            break
    assert rewards.tolist() == ([1.0, -1.0] if orange_goal else [-1.0, 1.0])
    assert not infos[0]["TimeLimit.truncated"]
    out = abs(infos[0]["states"].ball_position[0, 1]) < GOAL_LINE
    assert out == (tick_skip == 120), "the back of the goal throws it out again within a second"


def test_terms_are_paid_to_the_rows_alone():
    from shaping import ShapedVecEnv, make_term

    venv = envs.make_vec("Rocket1v1-v0", 3, opponent="goalie", report=["states"])
    shaped = ShapedVecEnv(venv, {"kinesthetic": make_term("kinesthetic", form="potential", reward="lucy")}, gamma=0.99)
    shaped.reset()
    assert shaped.step(np.full(3, BOOST))[1].shape == (3,)


@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_the_tasks_own_goal_is_paid_beside_lucys_reward_unless_its_weight_is_0(weight):
    """The paper's agents get Lucy's reward alone."""
    from shaping import ShapedVecEnv, WeightedSum, make_term

    venv = envs.make_vec("Rocket1v1-v0", 2, report=["states"])
    lucy = make_term("kinesthetic", reward="lucy", events="lucy", form="potential", team_spirit=0.3)
    shaped = ShapedVecEnv(venv, {"kinesthetic": lucy}, combiner=WeightedSum({"task": weight}), gamma=0.99)
    shaped.reset()
    venv.begin(0, Start(ball_position=np.array([0.0, 5000.0, 100.0]), ball_velocity=np.array([0.0, 3000.0, 0.0]),
                        car_position=np.array([[0, 4600.0, 17], [3000, 0, 17]])))  # fmt: skip
    for _ in range(15):
        _, rewards, dones, infos = shaped.step(np.array([NOTHING, NOTHING]))
        if dones.any():
            break
    parts = [info["reward_terms"] for info in infos]
    assert [part["task"] for part in parts] == [weight, -weight]
    assert rewards == pytest.approx([part["task"] + part["kinesthetic"] for part in parts])
    assert parts[0]["kinesthetic"] == pytest.approx(-parts[1]["kinesthetic"])


@pytest.mark.parametrize("env_id", ["RocketShoot-v0", "RocketGoalie-v0", "Rocket1v1-v0"])
def test_gymnasium_accepts_the_single_car(env_id):
    from gymnasium.utils.env_checker import check_env

    env = gymnasium.make(f"breadcrumb/{env_id}", render_mode="rgb_array", seconds=2.0)
    check_env(env.unwrapped, skip_render_check=True)
    first, info = env.reset(seed=5)
    again, _ = env.reset(seed=info["episode_seed"])
    assert (first == again).all()
    ends = []
    for _ in range(40):
        _, _, terminated, truncated, info = env.step(0)
        ends.append((terminated, truncated))
        if terminated or truncated:
            break
    # time is over, unless the shot at the idle goalkeeper went in before
    assert ends[-1] in ([(False, True), (True, False)] if env_id == "RocketGoalie-v0" else [(False, True)])
    assert "is_success" in info
    assert env.render().ndim == 3
    with pytest.raises(ValueError, match="one car acts here"):
        gymnasium.make("breadcrumb/Rocket2v2-v0", opponent="idle")


def test_the_single_cars_say_which_actions_are_of_use():
    from sb3_contrib.common.maskable.utils import get_action_masks

    env = gymnasium.make("breadcrumb/Rocket1v1-v0")
    env.reset(seed=1)
    masks = get_action_masks(env)
    assert masks.all(), "a car on the ground with boost can do anything"
    table = lookup_table()
    for _ in range(60):
        env.step(BOOST)
    assert not get_action_masks(env)[table[:, 6] > 0].any(), "its boost is gone"


def test_all_cars_say_which_actions_are_of_use():
    env = rocket_v0(blue=1, orange=1)
    assert env.action_masks() == {}
    env.reset(seed=1)
    may_boost = []
    for _ in range(40):
        env.step({"blue-0": BOOST, "orange-0": NOTHING})
        masks = env.action_masks()
        assert list(masks) == ["blue-0", "orange-0"]
        assert masks["orange-0"].all()
        may_boost.append(bool(masks["blue-0"][BOOST]))
    assert may_boost[0]
    assert not all(may_boost), "its boost was gone"


def test_pettingzoos_agents_are_the_cars_that_no_bot_drives():
    from pettingzoo.test import parallel_api_test

    env = rocket_v0(blue=2, orange=1, opponent="goalie", seconds=2.0)
    assert env.possible_agents == ["blue-0", "blue-1"]
    parallel_api_test(env, num_cycles=40)
    chance = rocket_v0(blue=1, orange=1, opponent="random", report=["states"])
    plays = []
    for _ in range(2):
        chance.reset(seed=9)
        infos = [chance.step({"blue-0": NOTHING})[4]["blue-0"] for _ in range(10)]
        plays.append([info["states"].car_position[0, 1] for info in infos])
    assert np.array_equal(*plays), "the same seed is the same opponent"
    with pytest.raises(ValueError, match="nobody to play against"):
        rocket_v0(blue=1, orange=0, opponent="goalie")
    with pytest.raises(ValueError, match="opponent="):
        rocket_v0(opponent="messi")


def test_pettingzoo_accepts_all_cars():
    from pettingzoo.test import parallel_api_test, parallel_seed_test

    parallel_api_test(rocket_v0(blue=2, orange=1, seconds=2.0), num_cycles=60)
    parallel_seed_test(lambda: rocket_v0(seconds=2.0), num_cycles=20)
    env = rocket_v0(blue=1, orange=1)
    observations, _ = env.reset(seed=1)
    assert list(observations) == ["blue-0", "orange-0"]
