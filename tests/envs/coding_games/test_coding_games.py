"""Coding games: the sender's faces agree, and the game of two keeps its rules."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, seed_test

import envs
from envs.coding_games import coding_game_v0
from envs.coding_games.messages import Messages, differing_bits, executed

GAMES = {
    "CodeGrid": {"world": "CodeGrid-v0"},
    "blocks and noise": {"world": "CodeGrid-v0", "messages": [2, 3], "noise": 0.3},
    "CartPole": {"world": "CartPole-v1", "messages": [16, 16], "distance": "bits", "max_steps": 40},
    "FrozenLake": {"world": "FrozenLake-v1", "noise": 0.2, "max_steps": 30},
    "SparseSquare": {"world": "SparseSquare-v0", "prior": [0.5, 0.5, 0.0], "messages": 3},
}
SENDERS = {
    "CodeGrid": {"noise": 0.2},
    "CartPole": {"world": "CartPole-v1", "messages": 5, "noise": 0.1},
    "chain": {"world": "ReferentialChain-v0", "arguments": {"length": 5, "actions": 3}},
}


# The game of two ----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("game", GAMES)
def test_pettingzoo_accepts_a_game(game):
    api_test(envs.make("CodingGame-v0", "aec", **GAMES[game]), num_cycles=30)
    seed_test(lambda: coding_game_v0(**GAMES[game]), num_cycles=30)


def played(game, seed, guess=None):
    """One game of random actions: states, what was executed, what the receiver saw, rewards."""
    game.reset(seed=seed)
    random, rewards, states, executed_actions = np.random.default_rng(seed), [], [], []
    while game.agent_selection == "sender":
        seen = game.observe("sender")
        assert not game.observe("receiver")["length"], "it sees nothing before its turn"
        states.append(seen["observation"])
        game.step(int(random.choice(np.flatnonzero(seen["action_mask"]))))
        executed_actions.append(game.infos["receiver"]["executed_action"])
        assert game.infos["sender"]["executed_action"] == executed_actions[-1]
        rewards.append(dict(game.rewards))
    states.append(game.observe("sender")["observation"])
    trajectory = game.observe("receiver")
    message = game.unwrapped.message
    game.step(message if guess is None else guess)
    rewards.append(dict(game.rewards))
    return states, executed_actions, trajectory, rewards


@pytest.mark.parametrize("seed", range(5))
def test_the_receiver_sees_the_trajectory_and_both_are_paid_alike(seed):
    game = coding_game_v0(zeta=2.5, noise=0.3)
    states, actions, trajectory, rewards = played(game, seed)
    n = len(actions)
    assert trajectory["length"] == n
    assert trajectory["states"][: n + 1].tolist() == states
    assert not trajectory["states"][n + 1 :].any()
    assert trajectory["actions"].tolist() == actions + [-1] * (8 - n)
    assert all(step["sender"] == step["receiver"] for step in rewards)
    assert rewards[-1]["sender"] == 2.5
    assert game.infos["sender"]["correct"]
    assert set(game.terminations.values()) | set(game.truncations.values()) == {False, True}
    assert sum(step["sender"] for step in rewards[:-1]) == float(states[-1] == 15)
    assert all(game.terminations.values()) == (states[-1] == 15)


def test_after_the_end_each_takes_one_step_of_none_and_is_paid_nothing_twice():
    game = coding_game_v0(world="MatrixGame-v0", messages=2, zeta=3.0)
    game.reset(seed=0)
    sums = dict.fromkeys(game.possible_agents, 0.0)
    guess = int(game.observe("sender")["message"])
    steps = []
    for agent in game.agent_iter():
        _, reward, terminated, truncated, _ = game.last()
        sums[agent] += reward
        steps.append(agent)
        over = terminated or truncated
        if over:
            with pytest.raises(ValueError, match="only valid action is None"):
                game.step(0)
        game.step(None if over else 0 if agent == "sender" else guess)
    assert steps == ["sender", "receiver", "sender", "receiver"]
    assert sums == {"sender": 7.0, "receiver": 7.0}
    assert game.agents == []


def test_a_wrong_guess_pays_nothing_or_its_distance():
    message = 2
    game = coding_game_v0(world="MatrixGame-v0", messages=3, prior=[0, 0, 1])
    assert played(game, 0, guess=1)[3][-1]["receiver"] == 0.0
    assert game.infos["receiver"] == {
        "executed_action": game.infos["sender"]["executed_action"],
        "message": message,
    } | {
        "guess": 1,
        "correct": False,
    }
    far = coding_game_v0(
        world="MatrixGame-v0", messages=[8, 8], prior=[np.eye(8)[5], np.eye(8)[0]], distance="bits", zeta=2
    )
    assert played(far, 0, guess=np.array([2, 1]))[3][-1]["receiver"] == -2.0 * 4
    assert differing_bits(np.array([5, 0]), np.array([5, 0])) == 0.0


def test_a_games_streams_are_apart():
    def trace(**changed):
        game = coding_game_v0(**{"world": "FrozenLake-v1", "messages": 10**6, "noise": 0.5, "max_steps": 20} | changed)
        states, actions, _, _ = played(game, 3)
        return game.unwrapped.message, states, actions

    message, states, actions = trace()
    assert trace(messages=10**6 + 1)[1:] == (states, actions), "the message changes nothing else"
    quiet = trace(noise=0.0)
    assert quiet[0] == message
    assert quiet[2] != actions
    first = gymnasium.make("FrozenLake-v1")
    state, _ = first.reset(seed=3)
    for action, expected in zip(quiet[2], quiet[1][1:], strict=True):
        state = first.step(action)[0]
        assert state == expected, "the world's episode is that of its own seed"


def test_noise_takes_any_available_action_as_often_as_another():
    random, available = np.random.default_rng(0), np.array([True, False, True, True])
    counts = np.bincount([executed(0, available, 0.6, random) for _ in range(6000)], minlength=4) / 6000
    np.testing.assert_allclose(counts, [0.6, 0.0, 0.2, 0.2], atol=0.025)


def test_moves_that_are_not_available_and_guesses_that_are_no_messages_are_refused():
    game = coding_game_v0(messages=4)
    game.reset(seed=0)
    with pytest.raises(ValueError, match=r"action 0 is not available here.*\[1, 2\]"):
        game.step(0)
    with pytest.raises(ValueError, match="no message here"):
        played(game, 1, guess=4)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"messages": 0}, "messages=0"),
        ({"messages": []}, "at least one block"),
        ({"messages": 2, "prior": [0.9, 0.3]}, "expected 2 probabilities"),
        ({"messages": [2, 2], "prior": [[0.5, 0.5]]}, "prior is of 1 blocks"),
        ({"noise": 1.5}, "noise=1.5"),
        ({"zeta": -1}, "zeta=-1"),
        ({"distance": "bit"}, "Did you mean bits"),
        ({"world": "Pendulum-v1"}, "Discrete ones"),
        ({"mesages": 3}, "Did you mean messages"),
    ],
)
def test_a_game_that_cannot_be_played_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        envs.make("CodingGame-v0", "aec", **arguments)


@pytest.mark.parametrize("seed", range(10))
def test_messages_are_drawn_by_their_prior(seed):
    random = np.random.default_rng(seed)
    prior = random.dirichlet(np.ones(5)) * (np.arange(5) != 2)
    messages = Messages([5, 2], [prior / prior.sum(), [0.25, 0.75]])
    drawn = np.array([messages.draw(random) for _ in range(3000)])
    assert all(messages.space().contains(message) for message in drawn[:20])
    np.testing.assert_allclose(np.bincount(drawn[:, 0], minlength=5) / 3000, messages.priors[0], atol=0.05)
    assert not (drawn[:, 0] == 2).any()
    assert drawn[:, 1].mean() == pytest.approx(0.75, abs=0.05)


# The sender alone ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", SENDERS)
def test_gymnasium_accepts_a_sender(sender):
    check_env(gymnasium.make("breadcrumb/CodingGame-v0", **SENDERS[sender]).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("sender", SENDERS)
def test_both_faces_of_a_sender_play_the_same_episode(sender):
    many = envs.make_vec("CodingGame-v0", 2, seed=3, **SENDERS[sender])
    single = gymnasium.make("breadcrumb/CodingGame-v0", **SENDERS[sender])
    rows, start, random = many.reset(), True, np.random.default_rng(1)
    for _ in range(120):
        if start:
            first = many.unwrapped.reset_infos[0]
            seen, info = single.reset(seed=first["episode_seed"])
            assert info["coding_game"]["message"] == first["coding_game"]["message"] == rows["message"][0]
        assert many.observation_space.contains({name: entry[0] for name, entry in rows.items()})
        for name, entry in seen.items():
            np.testing.assert_array_equal(entry, rows[name][0])
        actions = random.integers(many.action_space.n, size=2)
        rows, rewards, dones, infos = many.step(actions)
        seen, reward, terminated, truncated, info = single.step(actions[0])
        start = bool(dones[0])
        assert start == (terminated or truncated)
        assert reward == pytest.approx(rewards[0])
        assert info["coding_game"]["executed_action"] == infos[0]["coding_game"]["executed_action"]
        if start:
            for name, entry in seen.items():
                np.testing.assert_array_equal(entry, infos[0]["terminal_observation"][name])


def test_masks_of_the_world_are_seen_and_told():
    venv = envs.make_vec("CodingGame-v0", 3, seed=0)
    seen = venv.reset()
    np.testing.assert_array_equal(seen["action_mask"], np.stack(venv.env_method("action_masks")))
    assert not seen["action_mask"][:, 0].any(), "nothing leads up from the first row"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"messages": [2, 2]}, "a sender that learns sees one number"),
        ({"world": "Pendulum-v1"}, "Discrete ones"),
        ({"world": "CodeGird-v0"}, "Did you mean CodeGrid-v0"),
        ({"arguments": {"slip": 0.1}}, "no argument 'slip'"),
        ({"noise": -0.1}, "noise=-0.1"),
    ],
)
def test_a_sender_that_cannot_act_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        envs.make_vec("CodingGame-v0", 1, **arguments)
