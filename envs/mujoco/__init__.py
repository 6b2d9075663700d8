"""Worlds of papers on MuJoCo, which is an extra: make setup EXTRAS=mujoco."""

from envs.mujoco.family import MujocoFamily

__all__ = ["MujocoFamily"]
