"""Discriminators, their penalties and rewards, against what can be worked out by hand."""

from __future__ import annotations

import copy
import itertools
import math

import numpy as np
import pytest
import torch

from shaping.adversarial import (
    CAP,
    Discriminator,
    DiscriminatorTraining,
    GradientPenalty,
    Labels,
    Pairs,
    bernoulli_entropy,
    gradient_norms,
    interpolates,
    jacobian_norms,
    judge,
    kappa,
    published_q_lipschitz,
    reward_from_logits,
    safe_q_lipschitz,
    validity,
)


def pairs(observations, actions):
    return Pairs(torch.tensor(observations, dtype=torch.float32), torch.tensor(actions, dtype=torch.float32))


def clouds(seed=0, n=64):
    """The agent's pairs around 0, the expert's around 2 in the first number."""
    random = torch.Generator().manual_seed(seed)
    agent = Pairs(torch.randn((n, 3), generator=random), torch.randn((n, 2), generator=random))
    expert = Pairs(torch.randn((n, 3), generator=random), torch.randn((n, 2), generator=random))
    expert.observations[:, 0] += 2.0
    return agent, expert


def linear(observations, actions):
    """z = 3 s + 4 a: a gradient of norm 5 everywhere."""
    return 3.0 * observations[:, 0] + 4.0 * actions[:, 0]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_gradient_norm_of_a_linear_logit_is_that_of_its_weights_over_state_and_action():
    norms = gradient_norms(linear, pairs([[1.0], [7.0]], [[2.0], [-3.0]]))
    assert norms.tolist() == [5.0, 5.0]


@pytest.mark.parametrize("variant", ["wgan", "dragan", "nagard", "bare"])
@pytest.mark.parametrize(
    ("slope", "one_sided", "expected"), [(1.0, True, 160.0), (7.0, True, 0.0), (7.0, False, 40.0), (0.0, True, 250.0)]
)
def test_penalties_come_to_the_weight_times_the_squared_distance_to_the_slope(variant, slope, one_sided, expected):
    agent, expert = pairs([[0.0], [1.0]], [[0.0], [1.0]]), pairs([[5.0], [6.0]], [[5.0], [6.0]])
    found = GradientPenalty(variant, 10.0, slope, one_sided)(linear, agent, expert, generator())
    assert float(found.loss) == pytest.approx(expected, rel=1e-5)
    assert found.norms.tolist() == pytest.approx([5.0, 5.0])


def test_no_penalty_costs_nothing_and_looks_nowhere():
    agent, expert = clouds()
    for penalty in (GradientPenalty("none"), GradientPenalty("wgan", 0.0)):
        found = penalty(linear, agent, expert, generator())
        assert float(found.loss) == 0.0
        assert len(found.norms) == 0


def test_states_and_actions_are_mixed_each_by_its_own_share_and_rows_by_theirs():
    n = 400
    agent, expert = pairs(np.zeros((n, 2)), np.zeros((n, 2))), pairs(np.ones((n, 2)), np.ones((n, 2)))
    states, actions = interpolates(agent, expert, generator())
    assert torch.equal(states[:, 0], states[:, 1])
    assert torch.equal(actions[:, 0], actions[:, 1])
    assert abs(float(np.corrcoef(states[:, 0], actions[:, 0])[0, 1])) < 0.15
    assert 0.4 < float(states.mean()) < 0.6
    assert states.min() >= 0
    assert states.max() <= 1


def test_the_noisy_variants_look_around_their_own_side_and_bare_at_the_agents_pairs_themselves():
    agent, expert = pairs(np.zeros((500, 2)), np.zeros((500, 1))), pairs(np.full((500, 2), 9.0), np.full((500, 1), 9.0))
    for variant, centre in (("dragan", 9.0), ("nagard", 0.0)):
        points = GradientPenalty(variant, noise=0.5).points(agent, expert, generator())
        for part in points:
            assert float(part.mean()) == pytest.approx(centre, abs=0.1)
            assert float(part.std()) == pytest.approx(0.5, abs=0.08)
    assert GradientPenalty("bare").points(agent, expert, generator()) is agent


def test_pairs_of_unlike_number_are_refused_where_they_would_be_mixed():
    with pytest.raises(ValueError, match="3 pairs of the agent and 2 of the expert cannot be mixed"):
        interpolates(pairs(np.zeros((3, 1)), np.zeros((3, 1))), pairs(np.zeros((2, 1)), np.zeros((2, 1))), generator())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "wgn"}, "penalty='wgn': expected one of wgan, dragan"),
        ({"weight": -1.0}, "penalty_weight=-1.0: expected a number of at least 0"),
        ({"slope": -0.5}, "slope=-0.5"),
        ({"noise": math.nan}, "noise=nan"),
    ],
)
def test_penalties_that_mean_nothing_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        GradientPenalty(**arguments)


def test_the_penalty_can_be_descended_also_where_the_gradient_is_0():
    network = Discriminator(3, 2, (8,))
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    agent, expert = clouds()
    GradientPenalty(one_sided=False)(network, agent, expert, generator()).loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_rewards_are_their_formulas_and_minimax_does_not_leave_its_cap():
    z = torch.tensor([-2.0, 0.0, 3.0])
    p = torch.sigmoid(z.double())
    np.testing.assert_allclose(reward_from_logits(z, "minimax"), -torch.log(1 - p), rtol=1e-5)
    np.testing.assert_allclose(reward_from_logits(z, "airl"), torch.log(p) - torch.log(1 - p), atol=1e-5)
    np.testing.assert_allclose(reward_from_logits(z, "nonsat"), torch.log(p), rtol=1e-5)
    extreme = torch.tensor([-1e4, 17.9, 30.0, 1e4])
    assert reward_from_logits(extreme, "minimax").tolist() == pytest.approx([0.0, 17.9, CAP, CAP], abs=1e-4)
    assert pytest.approx(18.42, abs=0.01) == CAP
    assert torch.isfinite(reward_from_logits(extreme, "nonsat")).all()
    with pytest.raises(ValueError, match="form='gail'"):
        reward_from_logits(z, "gail")


def test_the_counterexample_the_safe_constant_is_tight_and_the_published_one_is_no_bound():
    assert safe_q_lipschitz(1.0, 0.9, 0.0, 0.9) == pytest.approx(1 / (1 - 0.81))
    assert safe_q_lipschitz(1.0, 0.9, 0.0, 0.9) == pytest.approx(5.263, abs=1e-3)
    assert published_q_lipschitz(1.0, 0.9, 0.0, 0.9) == pytest.approx(1.705, abs=1e-3)


def test_constants_over_few_steps_are_sums_and_without_an_end_they_may_be_infinite():
    assert safe_q_lipschitz(2.0, 1.0, 0.0, 1.0, steps=5) == 10.0
    assert safe_q_lipschitz(1.0, 0.5, 1.0, 0.9, steps=3) == pytest.approx(sum((0.45 * 2**0.5) ** t for t in range(3)))
    assert published_q_lipschitz(1.0, 1.0, 1.0, 1.0, steps=9) == 3.0
    assert published_q_lipschitz(1.0, 0.5, 2.0, 0.5, steps=2) == pytest.approx((1 + 0.25) ** 0.5)
    assert safe_q_lipschitz(1.0, 2.0, 0.0, 0.9) == published_q_lipschitz(1.0, 2.0, 0.0, 0.9) == math.inf
    assert published_q_lipschitz(1.0, 0.9, 0.0, 0.9, factor=0.5) == pytest.approx(1.705 / 2, abs=1e-3)
    with pytest.raises(ValueError, match="factor=0"):
        safe_q_lipschitz(1.0, 0.9, 0.0, 0.9, factor=0.0)


def test_kappa_is_1_up_to_tau_and_never_below_its_floor():
    found = kappa(torch.tensor([0.0, 5.0, 5.5, 50.0]), tau=5.0)
    assert found.tolist() == pytest.approx([1.0, 1.0, math.exp(-0.25), 0.7])
    assert float(kappa(torch.tensor(6.0), tau=5.0, scale=4.0)) == pytest.approx(math.exp(-0.25))
    with pytest.raises(ValueError, match="floor=1"):
        kappa(torch.zeros(1), tau=5.0, floor=1.5)


def test_validity_is_1_where_nothing_is_too_steep():
    assert validity(torch.tensor([0.2, 1.0]), 1.0) == 1.0
    assert validity(torch.tensor([2.0, 1.0]), 1.0) == pytest.approx((1 + math.exp(-1)) / 2)


def test_jacobian_norms_do_not_miss_outputs_that_cancel():
    def cancelling(rows):
        return torch.stack([rows[:, 0], -rows[:, 0]], dim=1)

    assert jacobian_norms(cancelling, torch.ones((3, 2))).tolist() == pytest.approx([2**0.5] * 3)


def test_entropy_is_that_of_a_coin():
    p = torch.sigmoid(torch.tensor([-3.0, 0.5], dtype=torch.float64))
    expected = -(p * p.log() + (1 - p) * (1 - p).log())
    np.testing.assert_allclose(bernoulli_entropy(torch.tensor([-3.0, 0.5])), expected, rtol=1e-5)
    assert torch.isfinite(bernoulli_entropy(torch.tensor([-500.0, 500.0]))).all()


def test_a_loss_is_its_formula():
    agent, expert = pairs([[0.1], [0.3]], [[0.0], [0.2]]), pairs([[-0.4], [0.5]], [[0.3], [0.0]])
    network = Discriminator(1, 1, (4,))
    found = judge(
        network, agent, expert, penalty=GradientPenalty("none"), labels=Labels(), entropy=0.5, random=generator()
    )
    ours, theirs = torch.sigmoid(network(*agent)), torch.sigmoid(network(*expert))
    both = torch.cat([ours, theirs])
    entropy = -(both * both.log() + (1 - both) * (1 - both).log()).mean()
    expected = -(1 - ours).log().mean() - theirs.log().mean() - 0.5 * entropy
    assert found.loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_labels_of_every_kind():
    uniform = Labels("uniform")(2000, generator())
    assert uniform.min() >= 0.7
    assert uniform.max() <= 1.2
    assert float(uniform.mean()) == pytest.approx(0.95, abs=0.02)
    assert Labels("soft", 0.2)(3, generator()).tolist() == pytest.approx([0.9] * 3)
    assert float(Labels("flipped", 0.25)(4000, generator()).mean()) == pytest.approx(0.75, abs=0.03)
    assert Labels()(2, generator()).tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="labels='smooth'"):
        Labels("smooth")


def test_a_discriminator_starts_orthogonal_with_a_small_head_and_leaves_torchs_stream_alone():
    before = torch.random.get_rng_state()
    network = Discriminator(6, 2, (8, 8), seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    first, head = network.layers[0].weight, network.layers[-1].weight
    np.testing.assert_allclose((first @ first.T).detach(), np.eye(8) * 2 / 1.01, atol=1e-5)
    assert head.norm().item() == pytest.approx(0.01)
    again = Discriminator(6, 2, (8, 8), seed=3)
    assert torch.equal(first, again.layers[0].weight)


def test_clipped_observations_have_no_gradient_beyond_the_clip():
    network = Discriminator(1, 1, (8,), observation_clip=5.0)
    network.layers[-1].weight.data.fill_(1.0)
    inside, outside = (
        gradient_norms(lambda s, a: network(s, a.detach()), pairs([[value]], [[0.0]])) for value in (1.0, 6.0)
    )
    assert float(inside) > 0.0 == float(outside)


def test_states_alone_count_where_that_is_asked_for():
    network = Discriminator(2, 3, (8,), state_only=True)
    states = torch.randn((4, 2), generator=generator())
    assert torch.equal(network(states, torch.zeros((4, 3))), network(states, torch.ones((4, 3))))
    assert torch.isfinite(gradient_norms(network, Pairs(states, torch.zeros((4, 3))))).all()


def test_spectral_norm_bounds_hidden_layers_and_stands_still_while_paying():
    network = Discriminator(3, 2, (16, 16), spectral_norm=True)
    agent, expert = clouds()
    training = DiscriminatorTraining(network, penalty=GradientPenalty("none"), learning_rate=1e-2)
    for _ in range(60):
        training.step(agent, expert)
    for layer in (network.layers[0], network.layers[2]):
        assert float(torch.linalg.matrix_norm(layer.weight, 2)) == pytest.approx(1.0, abs=0.05)
    before = copy.deepcopy(training.state_dict()["network"])
    first = network.score(agent)
    assert torch.equal(network.score(agent), first)
    assert not first.requires_grad
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def trained(penalty, steps=250):
    agent, expert = clouds()
    network = Discriminator(3, 2, (32, 32))
    training = DiscriminatorTraining(network, penalty=penalty, learning_rate=3e-3)
    for _ in range(steps):
        judgement = training.step(agent, expert)
    return network, judgement, agent, expert


def test_a_discriminator_learns_and_with_the_penalty_stays_flat():
    steep, free, agent, _ = trained(GradientPenalty("none"))
    flat, held, agent, _ = trained(GradientPenalty())
    assert free.metrics()["accuracy"] > 0.95
    assert held.metrics()["accuracy"] > 0.75
    assert float(gradient_norms(flat, agent).max()) < 1.5 < 3.0 < float(gradient_norms(steep, agent).mean())
    assert free.metrics()["agent"] < held.metrics()["agent"] < held.metrics()["expert"] < free.metrics()["expert"]


def test_training_goes_on_from_its_state_as_if_nothing_had_happened():
    agent, expert = clouds()

    def fresh(seed):
        network = Discriminator(3, 2, (8, 8), spectral_norm=True, seed=seed)
        return DiscriminatorTraining(network, labels=Labels("uniform"), seed=seed)

    first, second = fresh(0), fresh(5)
    for _ in range(5):
        first.step(agent, expert)
    state = first.state_dict()
    kept = copy.deepcopy(state)
    expected = [float(first.step(agent, expert).loss) for _ in range(5)]
    assert repr(state) == repr(kept), "a state is a copy"
    second.load_state_dict(state)
    assert [float(second.step(agent, expert).loss) for _ in range(5)] == expected
    with pytest.raises(ValueError, match="resume with the same"):
        DiscriminatorTraining(Discriminator(4, 2, (8, 8))).load_state_dict(state)


@pytest.mark.parametrize("hidden", [(), (8,), (5, 6, 7)])
@pytest.mark.parametrize("labels", ["hard", "uniform", "flipped", "soft"])
@pytest.mark.parametrize("variant", ["wgan", "dragan", "nagard", "bare", "none"])
def test_the_gradient_that_is_written_out_is_autograds(variant, labels, hidden):
    torch.manual_seed(1)
    agent, expert = Pairs(torch.randn(40, 4), torch.randn(40, 2)), Pairs(torch.randn(40, 4) + 0.3, torch.randn(40, 2))
    for one_sided, clip, state_only in itertools.product((True, False), (None, 0.7), (True, False)):
        both = [
            DiscriminatorTraining(
                Discriminator(4, 2, hidden, observation_clip=clip, state_only=state_only, head_gain=1.0, seed=3),
                penalty=GradientPenalty(variant, one_sided=one_sided, slope=0.5),
                labels=Labels(labels),
                entropy=0.05,
                seed=5,
            )
            for _ in range(2)
        ]
        by_autograd, layers = both[0]._by_autograd(agent, expert), both[1].network.numbers()
        assert layers is not None
        written_out = both[1]._written_out(layers, agent, expert)
        for name in ("loss", "penalty", "agent", "expert", "norms"):
            torch.testing.assert_close(getattr(by_autograd, name).detach(), getattr(written_out, name))
        for one, other in zip(both[0].network.parameters(), both[1].network.parameters(), strict=True):
            wanted = torch.zeros_like(other) if one.grad is None else one.grad
            torch.testing.assert_close(other.grad, wanted, rtol=1e-4, atol=1e-5)


def test_spectral_norms_are_computed_and_so_are_not_written_out():
    assert Discriminator(4, 2, (8,), spectral_norm=True).numbers() is None


@pytest.mark.parametrize("one_sided", [True, False])
def test_the_same_rows_on_both_sides_and_a_number_that_never_varies_leave_everything_finite(one_sided):
    rows = Pairs(torch.cat([torch.randn(16, 2), torch.zeros(16, 1)], dim=1), torch.randn(16, 2))
    training = DiscriminatorTraining(
        Discriminator(3, 2, (8,), head_gain=0.0), penalty=GradientPenalty(one_sided=one_sided)
    )
    for _ in range(20):
        judgement = training.step(rows, rows)
        assert torch.isfinite(judgement.loss)
        assert torch.isfinite(judgement.norms).all()
    assert all(torch.isfinite(parameter).all() for parameter in training.network.parameters())
