"""What was played plays again bit for bit, and contests are fair and the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from envs.rocket.bots import BOTS
from envs.rocket.contest import MakeDriver, Rules, play, play_points
from envs.rocket.drivers import Driver
from envs.rocket.matches import Matches, scored
from envs.rocket.recording import Recording
from envs.rocket.start_mixture import StartMixture, situations
from envs.rocket.starts import STARTS, Start, kickoff
from envs.rocket.states import BY_ARENA, MatchStates
from envs.typing import Array, BoolArray, IntArray
from tests.payload import Payload


def bot(name: str) -> MakeDriver:
    return lambda k, orange: BOTS[name]()


def kickoffs(number: int, cars: int, seed: int = 0) -> list[Start]:
    random = np.random.default_rng(seed)
    return [kickoff(random, np.repeat([False, True], cars)) for _ in range(number)]


@pytest.mark.parametrize("cars", [1, 3])
def test_recordings_play_again_bit_for_bit_through_goals_and_demolitions(cars: int, tmp_path: Path) -> None:
    points = play(bot("chase_ball"), bot("kickoff"), kickoffs(8, cars), Rules(cars=cars, seconds=40), record=True)
    respawns = 0
    for number, point in enumerate(points):
        assert point.recording is not None
        point.recording.save(tmp_path / f"{number}.npz")
        loaded = Recording.load(tmp_path / f"{number}.npz")
        states = loaded.play()
        assert len(states) == len(loaded.controls) + 1
        for name in BY_ARENA:
            recorded = np.concatenate([getattr(s, name) for s in states])
            np.testing.assert_array_equal(recorded, getattr(point.recording.states, name))
            assert recorded.dtype == getattr(point.recording.states, name).dtype
        assert [float(scored(s)[0]) for s in (states[0], states[-1])] == [0.0, float(point.outcome)]
        away = np.array([s.demolished[0] for s in states])
        respawns += int((away[:-1] & ~away[1:]).sum())
        if cars == 1:  # RocketSim's order of six cars cannot be chosen
            for again, was in zip(loaded.simulate(), states, strict=True):
                np.testing.assert_array_equal(again.car_position, was.car_position)
                np.testing.assert_array_equal(again.ball_velocity, was.ball_velocity)
                assert again.events.keys() == was.events.keys()
                assert all((again.events[name] == was.events[name]).all() for name in was.events)
    assert len({point.outcome for point in points}) > 1
    if cars == 3:
        assert respawns  # else this says nothing about them


def test_a_demolished_car_is_back_after_three_seconds_at_the_same_place_in_every_arena() -> None:
    places = []
    for _ in range(6):
        matches = Matches(1, 1, 1)
        start = Start(
            ball_position=np.array([1000.0, 500.0, 93.15]),
            car_position=np.array([[0.0, -1500.0, 17.0], [0.0, 0.0, 17.0]]),
            car_velocity=np.array([[0.0, 2300.0, 0.0], [0.0, 0.0, 0.0]]),
            yaw=np.array([np.pi / 2, 0.0]),
            boost=np.ones(2),
        )
        matches.reset(0, start)
        controls = np.zeros((1, 2, 8), np.float32)
        controls[0, 0, [0, 6]] = 1.0  # supersonic into the other
        away = []
        for _ in range(70):
            states = matches.step(controls)
            away.append(bool(states.demolished[0, 1]))
            if away[-1]:
                controls[0, 0] = 0.0
            elif any(away):
                break
        assert abs(sum(away) - 45) <= 1  # 3 seconds of steps of 8 ticks
        places.append(tuple(states.car_position[0, 1].tolist()))
        assert states.car_position[0, 1, 1] > 4000  # in front of its own goal
    assert len(set(places)) == 1


def tumbled(random: np.random.Generator) -> Matches:
    """An arena in which two cars drove, jumped and fell about for two seconds."""
    matches = Matches(1, 1, 1)
    matches.reset(0, STARTS["random"](random, matches.orange))
    for _ in range(30):
        controls = random.uniform(-1, 1, (1, 2, 8)).astype(np.float32)
        controls[..., 0], controls[..., 5:] = 1.0, controls[..., 5:] > 0
        matches.step(controls)
    return matches


def in_the_air(random: np.random.Generator, orange: BoolArray) -> Start:
    start = STARTS["random"](random, orange)
    places = start.car_position + [0.0, 0.0, 1.0] * random.uniform(0, 600, (2, 1))
    return replace(start, car_position=places, pitch=random.uniform(-1, 1, 2), roll=random.uniform(-3, 3, 2))


@pytest.mark.parametrize("make", [STARTS["kickoff"], STARTS["random"], STARTS["penalty"], in_the_air])
def test_an_arena_that_was_played_in_goes_on_from_a_start_as_a_new_one_does(make: Callable[..., Start]) -> None:
    random, ahead = np.random.default_rng(0), np.tile(np.eye(8, dtype=np.float32)[0], (1, 2, 1))
    for _ in range(8):
        played, fresh = tumbled(random), Matches(1, 1, 1)
        start = make(random, fresh.orange)
        for matches in (played, fresh):
            matches.reset(0, start)
        for _ in range(15):
            states = [matches.step(ahead) for matches in (played, fresh)]
            for name in BY_ARENA:
                np.testing.assert_array_equal(*(getattr(s, name) for s in states), name)


@pytest.mark.parametrize("name", ["car_position", "car_velocity", "boost", "pads", "ball_angular_velocity"])
def test_a_simulation_that_differs_anywhere_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envs.rocket.recording.ARENAS", 2)
    [point] = play(bot("random"), bot("chase_ball"), kickoffs(1, 1), Rules(seconds=1), record=True)
    assert point.recording is not None
    assert len(point.recording.simulate()) == 16
    values = getattr(point.recording.states, name)
    values[11] = ~values[11] if values.dtype == bool else values[11] + 0.125
    with pytest.raises(ValueError, match="from step 10 of 15"):
        point.recording.simulate()


def test_a_recorded_match_is_a_replay_file(tmp_path: Path) -> None:
    """Every state of it is a start, in goals and on walls too, but where it is over."""
    points = play(bot("chase_ball"), bot("goalie"), kickoffs(4, 2), Rules(cars=2, seconds=20), record=True)
    for point in points:
        assert point.recording is not None
        point.recording.save(tmp_path / "point.npz")
        states = point.recording.states
        mixture = StartMixture({"replay": 1.0}, 4, tmp_path / "point.npz")
        balls, _ = situations(states)
        away = states.demolished.any(axis=1).sum()
        assert len(states.boost) - away - 1 <= len(balls) <= len(states.boost) - away
        start, matches = mixture(np.random.default_rng(0), states.orange), Matches(1, 2, 2)
        matches.reset(0, start)
        now = matches.states()
        row = np.abs(states.car_position - now.car_position[0]).max(axis=(1, 2)).argmin()
        np.testing.assert_allclose(now.car_position[0], states.car_position[row], atol=0.01)
        np.testing.assert_allclose(now.ball_position[0], states.ball_position[row], atol=0.01)
        np.testing.assert_allclose(now.car_forward[0], states.car_forward[row], atol=2e-3)
        np.testing.assert_allclose(now.car_up[0], states.car_up[row], atol=2e-3)
        np.testing.assert_allclose(now.car_velocity[0], states.car_velocity[row], atol=0.01)
    assert {point.outcome for point in points} - {0}, "else no state lay behind the goal line"
    with pytest.raises(ValueError, match=r"expected \(M, 9\) and \(M, 2, 13\)"):
        StartMixture({"replay": 1.0}, 2, tmp_path / "point.npz")


def test_a_recording_without_a_step_is_refused(tmp_path: Path) -> None:
    [point] = play(bot("idle"), None, kickoffs_of_one(), Rules(seconds=0.01), record=True)
    assert point.recording is not None
    assert len(point.recording.controls) == 1, "the shortest point is one step"
    empty = replace(point.recording, controls=point.recording.controls[:0], states=point.recording.states.arena(0))
    empty.save(tmp_path / "empty.npz")
    with pytest.raises(ValueError, match="holds no step"):
        Recording.load(tmp_path / "empty.npz")


def kickoffs_of_one() -> list[Start]:
    return [Start(ball_position=np.array([0.0, 0.0, 200.0]), car_position=np.array([[0.0, -900.0, 17.0]]))]


class Paced(Driver):
    """Counts what it is asked, and at which places of the ball."""

    def __init__(self, tick_skip: int) -> None:
        self.tick_skip = tick_skip
        self.asked: list[float] = []
        self.told = self.begun = 0

    def __call__(self, states: MatchStates, cars: IntArray, time_left: Array) -> Array:
        self.asked.append(float(time_left[0]))
        return np.full((len(time_left), len(cars), 8), 0.5, np.float32) * (len(self.asked) % 2)

    def acted(self, controls: Array) -> None:
        self.told += 1

    def begin(self, arenas: IntArray, seeds: IntArray) -> None:
        self.begun += 1


@pytest.mark.parametrize(
    ("paces", "step", "asked"), [((4, 8), 4, (30, 15)), ((8, 8), 8, (15, 15)), ((8, 12), 4, (15, 10))]
)
def test_drivers_decide_as_often_as_they_learned_to_whoever_they_play(
    paces: tuple[int, int], step: int, asked: tuple[int, int]
) -> None:
    drivers = [Paced(pace) for pace in paces]
    rules = Rules(seconds=1.0, no_touch_seconds=1.0, tick_skip=24)
    [point] = play(lambda k, o: drivers[0], lambda k, o: drivers[1], kickoffs(1, 1), rules, record=True)
    assert point.recording is not None
    assert point.recording.tick_skip == step
    assert tuple(len(driver.asked) for driver in drivers) == asked
    assert tuple(driver.told for driver in drivers) == asked
    held = point.recording.controls[:, 1, 0].reshape(-1, paces[1] // step)
    assert (held == held[:, :1]).all(), "what it decided goes on until it decides again"
    assert len(point.recording.simulate()) == 120 // step + 1


def test_a_points_end_waits_for_all_to_decide_before_the_next_begins() -> None:
    slow, quick = Paced(24), Paced(8)
    rules = Rules(seconds=0.5, no_touch_seconds=0.1, arenas=1)  # 12 ticks are a step and a half of 8
    play(lambda k, o: slow, lambda k, o: quick, kickoffs(3, 1), rules)
    assert slow.asked == [1.0] * 3, "every point begins with a decision"
    assert slow.begun == quick.begun == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cars", 99), ("cars", 0), ("seconds", float("inf")), ("seconds", 1e9), ("no_touch_seconds", float("nan")),
        ("no_touch_seconds", -1.0), ("tick_skip", 7), ("tick_skip", 0), ("tick_skip", 240), ("arenas", 0),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_played_by_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name}="):
        Rules(**{name: value})  # type: ignore[arg-type]


def test_what_a_bot_draws_hangs_on_the_contests_seed_and_not_on_how_many_are_played_at_once() -> None:
    starts = kickoffs(4, 1)

    def places(seed: int, arenas: int) -> list[Array]:
        rules = Rules(seconds=1.0, arenas=arenas)
        points = play(bot("random"), bot("random"), starts, rules, seed, record=True)
        return [point.recording.states.car_position[-1] for point in points if point.recording is not None]

    one, again, other = places(1, 4), places(1, 2), places(2, 4)
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_recording_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 3\).*expected \(1, 3\)"):
        play(bot("random"), None, kickoffs(1, 1), Rules(seconds=3), record=True)  # a start for two cars, and one plays
    single = Start(ball_position=np.array([0.0, 0.0, 200.0]), car_position=np.array([[0.0, -900.0, 17.0]]))
    recording = play(bot("random"), None, [single], Rules(seconds=3), record=True)[0].recording
    assert recording is not None
    recording.states.ball_position[11] += 1.0
    with pytest.raises(ValueError, match="from step 10 of 45"):
        recording.simulate()
    (tmp_path / "x.npz").write_bytes(b"no")
    with pytest.raises(ValueError, match="no recording"):
        Recording.load(tmp_path / "x.npz")


def test_contests_are_the_same_for_the_same_seed_and_turn_round_with_the_players() -> None:
    rules, threads = Rules(seconds=20, arenas=4), torch.get_num_threads()
    first = play_points(bot("kickoff"), bot("chase_ball"), 8, rules, seed=1)
    np.testing.assert_array_equal(first, play_points(bot("kickoff"), bot("chase_ball"), 8, rules, seed=1))
    turned = -play_points(bot("chase_ball"), bot("kickoff"), 8, rules, seed=1)
    np.testing.assert_array_equal(first, np.roll(turned, 4))
    assert (first == 1).sum() >= 3 + (first == -1).sum()  # the kickoff bot is much better
    with pytest.raises(ValueError, match="even number"):
        play_points(bot("idle"), bot("idle"), 3, rules)
    assert torch.get_num_threads() == threads


def test_the_same_kickoff_is_the_same_in_every_arena_with_team_mates() -> None:
    start = kickoffs(1, 3)[0]
    places = set()
    for _ in range(12):
        matches = Matches(1, 3, 3)
        matches.reset(0, start)
        states = matches.states()
        places.add(states.car_position.tobytes())
        np.testing.assert_allclose(states.car_position[0, :3, :2], -states.car_position[0, 3:, :2], atol=1e-3)
        np.testing.assert_allclose(states.car_forward[0, :3, :2], -states.car_forward[0, 3:, :2], atol=1e-5)
    assert len(places) == 1


def test_a_recording_that_hides_an_object_is_not_unpickled(tmp_path):
    marker = tmp_path / "marker"
    hidden = np.array([Payload(marker)], object)
    np.savez(tmp_path / "sent.npz", start_time=hidden, ball=hidden, states_ball_position=hidden)
    with pytest.raises(ValueError, match=r"no recording of a match .*allow_pickle=False"):
        Recording.load(tmp_path / "sent.npz")
    with pytest.raises(ValueError, match="allow_pickle=False"):
        StartMixture({"replay": 1.0}, 2, tmp_path / "sent.npz")
    assert not marker.exists()
