"""Rewards by name: potentials or per-step values, and what events pay."""

from __future__ import annotations

from collections.abc import Mapping

DISTANCE_WEIGHTED_ALIGNMENT = "krc(align, player_to_ball_distance(dispersion=1.1))"
OFFENSIVE_POTENTIAL = "krc(align, player_to_ball_velocity, player_to_ball_distance(density=1.1))"

REWARDS: Mapping[str, str] = {
    "offensive_potential": "krc(align, player_to_ball_velocity, player_to_ball_distance)",
    "offensive_linear": "linear(align, player_to_ball_velocity, player_to_ball_distance)",
    "offensive_product": "product(align, player_to_ball_velocity, player_to_ball_distance)",
    "lucy": (
        "2*ball_to_goal_difference(offensive_dispersion=0.6, defensive_dispersion=0.4) + 0.8*ball_to_goal_velocity"
        f" + 0.5*save_boost + 0.6*{DISTANCE_WEIGHTED_ALIGNMENT} + {OFFENSIVE_POTENTIAL}"
    ),
    "lucy_linear": (
        "2*ball_to_goal_difference(offensive_dispersion=0.6, defensive_dispersion=0.4) + 0.8*ball_to_goal_velocity"
        " + 0.5*save_boost + 0.6*linear(align, player_to_ball_distance(dispersion=1.1))"
        " + linear(align, player_to_ball_velocity, player_to_ball_distance(density=1.1))"
    ),
    "necto": "2.5*goal_nearness - 2.5*goal_nearness(own_goal=True) + 0.5*ball_nearness + 0.5*align",
    "none": "0",
}
"""Name -> expression.

lucy: the potential of the released v3.5, "SKG"; lucy_linear: the same with arithmetic means;
necto: that agent's state and player quality.
"""

EVENTS: Mapping[str, str] = {
    "lucy": ("10*goal - 3*concede + 1.5*shot + 3*save + 0.25*touch_acceleration + 0.05*touch + 2*demo - 2*demoed"),
    "lucy_v4": (
        "6*goal - 2*concede + 1*shot + 3*save + 0.25*touch_acceleration + 0.05*touch + 2*demo - 2*demoed + pressure"
    ),
    "necto": (
        "10*goal + 2.5*goal_speed - 2.5*concede_distance + touch_aerial + 0.25*touch_speed_change + boost_gain"
        " - 0.7*boost_loss + 0.005*off_ground - 0.005 + 2.5*demo - 2.5*demoed"
    ),
    "goals": "5*team_goal - 5*concede",
    "none": "0",
}
"""Name -> expression of what happened in a step."""
