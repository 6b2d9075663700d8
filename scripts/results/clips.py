"""Short clips of an agent at play: GIF and MP4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from stable_baselines3.common.vec_env import VecEnv

from agents import Player
from foundation.files import whole_file

Picture = NDArray[np.uint8]

MAX_FRAMES = 300
FRAME_SECONDS, LAST_FRAME_SECONDS = 0.12, 1.5
_CAPTION_HEIGHT = 22


def write_clip(
    path: Path,
    venv: VecEnv,
    player: Player,
    episodes: int = 3,
    trim: Callable[[list[Picture]], list[Picture]] = list,
    max_frames: int = MAX_FRAMES,
) -> str:
    """Play some episodes in `venv` and write them to `path`, a caption over every picture.

    Args:
        path: the .gif; it appears when it is complete.
        venv: one environment whose `render()` gives an RGB array.
        player: of this environment.
        episodes: how many to show at most.
        trim: pictures -> what of them is worth showing.
        max_frames: pictures at most; the clip ends there, in the middle of an episode if need be.

    Returns:
        A note on what the clip shows.

    Raises:
        ValueError: the environment renders no RGB arrays; the message says so.
    """
    frames: list[Picture] = []
    captions: list[str] = []
    seconds: list[float] = []
    observations, finished, step, total = venv.reset(), 0, 0, 0.0
    while finished < episodes and len(frames) < max_frames:
        frames.append(_picture(venv))
        captions.append(f"episode {finished + 1}    step {step}    return {total:.2f}")
        seconds.append(FRAME_SECONDS)
        observations, rewards, dones, infos = venv.step(player(observations))
        step += 1
        player.begin(dones)
        total += infos[0].get("reward_terms", {}).get("task", float(rewards[0]))
        if dones[0]:  # the environment has begun anew: its last picture is the one before this step
            success = infos[0].get("is_success")
            outcome = "over" if success is None else "success" if success else "no success"
            total = infos[0].get("episode", {}).get("r", total)
            captions[-1] = f"episode {finished + 1}    step {step}    return {total:.2f}    {outcome}"
            seconds[-1] = LAST_FRAME_SECONDS
            finished, step, total = finished + 1, 0, 0.0
    pictures = [captioned(frame, caption) for frame, caption in zip(trim(frames), captions, strict=True)]
    write_gif(path, pictures, seconds)
    cut = "" if finished >= episodes else f", cut at {max_frames} frames"
    return f"{min(finished + 1, episodes) if cut else finished} episodes, {len(frames)} frames{cut}"


def _picture(venv: VecEnv) -> Picture:
    frame = venv.render() if venv.render_mode == "rgb_array" else None
    if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(
            f'the environment does not render "rgb_array" pictures (its render_mode is {venv.render_mode!r})'
        )
    return np.array(frame, np.uint8)


def captioned(frame: Picture, caption: str) -> Picture:
    strip = Image.new("RGB", (frame.shape[1], _CAPTION_HEIGHT), (32, 34, 40))
    ImageDraw.Draw(strip).text((6, 3), caption, fill=(235, 235, 235), font=ImageFont.load_default(13))
    return np.concatenate([np.asarray(strip), frame])


def write_gif(path: Path, pictures: Sequence[Picture], seconds: Sequence[float]) -> None:
    """Write a GIF that shows each picture for so long; it appears when it is complete."""
    import imageio.v3 as imageio

    durations = [round(1000 * each) for each in seconds]
    with whole_file(path) as part:
        imageio.imwrite(part, list(pictures), plugin="pillow", duration=durations, loop=0, optimize=True)


def write_mp4(path: Path, pictures: Sequence[Picture], frames_per_second: float) -> None:
    """Write an MP4 (H.264) of pictures of one size; it appears when it is complete.

    Raises:
        ValueError: there is no ffmpeg.
    """
    import imageio.v3 as imageio

    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise ValueError("an MP4 needs ffmpeg: pip install imageio-ffmpeg, or write a GIF") from error
    with whole_file(path) as part:
        imageio.imwrite(part, np.stack(pictures), plugin="FFMPEG", fps=frames_per_second, macro_block_size=2)
