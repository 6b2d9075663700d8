"""PPO on the key room beside stable-baselines3, Sample Factory and PufferLib."""
