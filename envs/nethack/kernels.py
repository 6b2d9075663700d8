"""The per-step array work of many games at once, compiled.

NetHack itself takes 3 to 12 microseconds a step, so what surrounds it has to cost less than that
for a whole batch. Each kernel walks the rows it is told to and writes into arrays that its caller
owns. The compiled code is cached on disk.
"""

from __future__ import annotations

import numpy as np
from nle import nethack
from numba import njit

from envs.typing import Array

# Columns of `internal` and `program_state` as nle's include/nletypes.h lays them out.
IN_YN_FUNCTION, IN_GETLIN, WAITING_FOR_SPACE, ON_STAIRS_DOWN, HUNGER_POINTS = 1, 2, 3, 4, 7
GAME_OVER, IN_MOVELOOP = 0, 3

BLSTATS = nethack.BLSTATS_SHAPE[0]
assert (nethack.NLE_BL_TIME, nethack.NLE_BL_SCORE) == (20, 9), "nle's bottom line has changed: see judge_plain"
assert (nethack.NLE_BL_DNUM, nethack.NLE_BL_DLEVEL) == (23, 24), "nle's bottom line has changed: see visible_changes"
assert (nethack.NLE_BL_DEPTH, nethack.NLE_BL_GOLD, nethack.NLE_BL_XP) == (12, 13, 18), "changed: see add_scouted"
_HP, _HP_MAX, _ENERGY, _ENERGY_MAX = (
    nethack.NLE_BL_HP,
    nethack.NLE_BL_HPMAX,
    nethack.NLE_BL_ENE,
    nethack.NLE_BL_ENEMAX,
)


def _linear_scales() -> Array:
    scales = np.zeros(BLSTATS)
    scales[nethack.NLE_BL_X] = 1 / 79
    scales[nethack.NLE_BL_Y] = 1 / 21
    scales[nethack.NLE_BL_STR25 : nethack.NLE_BL_CHA + 1] = 1 / 25
    scales[nethack.NLE_BL_STR125] = 1 / 125
    scales[[_HP_MAX, _ENERGY_MAX]] = 1 / 100
    scales[nethack.NLE_BL_DEPTH] = scales[nethack.NLE_BL_DLEVEL] = 1 / 10
    scales[nethack.NLE_BL_AC] = 1 / 10
    scales[nethack.NLE_BL_HD] = scales[nethack.NLE_BL_XP] = 1 / 10
    scales[nethack.NLE_BL_TIME] = 1 / 1000
    scales[nethack.NLE_BL_HUNGER] = scales[nethack.NLE_BL_CAP] = 1 / 6
    scales[nethack.NLE_BL_DNUM] = 1 / 7
    scales[nethack.NLE_BL_CONDITION] = 1.0
    scales[nethack.NLE_BL_ALIGN] = 1 / 20
    return scales


LINEAR_SCALES = _linear_scales()
LOGARITHMIC = np.zeros(BLSTATS, dtype=np.bool_)
LOGARITHMIC[[nethack.NLE_BL_SCORE, nethack.NLE_BL_GOLD, nethack.NLE_BL_EXP]] = True
STATS_LIMIT = 5.0


@njit(cache=True)
def crop(source: Array, blstats: Array, rows: Array, out: Array, pad: int) -> None:
    """Copy the window around the hero: `source` (n, 21, 79) -> `out` (n, height, width).

    Outside the map it is `pad`.
    """
    height, width = out.shape[1], out.shape[2]
    for row in rows:
        left = blstats[row, 0] - width // 2
        top = blstats[row, 1] - height // 2
        for y in range(height):
            map_y = top + y
            for x in range(width):
                map_x = left + x
                if 0 <= map_y < source.shape[1] and 0 <= map_x < source.shape[2]:
                    out[row, y, x] = source[row, map_y, map_x]
                else:
                    out[row, y, x] = pad


@njit(cache=True)
def normalise_blstats(blstats: Array, rows: Array, out: Array) -> None:
    """Bottom-line statistics (n, 27) -> float32 in [-5, 5].

    Hit points and energy as shares of their maximum, score, gold and experience points as
    log(1 + x) / 10, conditions as 0 or 1, the rest divided by a typical size.
    """
    for row in rows:
        for column in range(blstats.shape[1]):
            value = float(blstats[row, column])
            if column == _HP:
                value = value / max(1.0, float(blstats[row, _HP_MAX]))
            elif column == _ENERGY:
                value = value / max(1.0, float(blstats[row, _ENERGY_MAX]))
            elif LOGARITHMIC[column]:
                value = np.log1p(max(0.0, value)) / 10.0
            else:
                value = value * LINEAR_SCALES[column]
            if column == nethack.NLE_BL_CONDITION:
                value = min(value, 1.0)
            out[row, column] = min(STATS_LIMIT, max(-STATS_LIMIT, value))


@njit(cache=True)
def opened_doors(before: Array, now: Array, closed: int, opened: int, out: Array) -> None:
    """For each row: did a closed door (glyphs `closed`, `closed + 1`) become open or broken?

    `opened` is the glyph of the first of doorway, broken or open doors, which stand before the
    closed ones in nle's list.
    """
    for row in range(now.shape[0]):
        opens = False
        for y in range(now.shape[1]):
            closed_before = 0
            for x in range(now.shape[2]):  # no branch inside: this becomes vector instructions
                closed_before += (before[row, y, x] == closed) | (before[row, y, x] == closed + 1)
            if closed_before:
                for x in range(now.shape[2]):
                    was, became = before[row, y, x], now[row, y, x]
                    opens |= (was == closed or was == closed + 1) and opened <= became < closed
        out[row] = opens


@njit(cache=True)
def visible_changes(
    before: Array,
    now: Array,
    blstats_before: Array,
    blstats: Array,
    rows: Array,
    kinds: Array,
    was: Array,
    became: Array,
    counts: Array,
) -> None:
    """The cells that show something else than before, as glyphs `was` and `became` (n, most).

    -1 stands for nothing. `kinds` (glyph numbers) is 0 for scenery, 1 for things, 2 for creatures.
    Cells where the hero stood or stands are left out; where a creature comes or goes, a thing on
    the other side is hidden, not changed. Nothing is found after a change of level.
    """
    for row in rows:
        counts[row] = 0
        if blstats_before[row, 23] != blstats[row, 23] or blstats_before[row, 24] != blstats[row, 24]:
            continue
        x0, y0 = blstats_before[row, 0], blstats_before[row, 1]
        x1, y1 = blstats[row, 0], blstats[row, 1]
        for y in range(now.shape[1]):
            differs = False
            for x in range(now.shape[2]):  # no branch inside: this becomes vector instructions
                differs |= before[row, y, x] != now[row, y, x]
            if not differs:
                continue
            for x in range(now.shape[2]):
                old, new = before[row, y, x], now[row, y, x]
                if old == new or (x == x0 and y == y0) or (x == x1 and y == y1) or counts[row] == was.shape[1]:
                    continue
                kind_old, kind_new = kinds[old], kinds[new]
                if kind_old == 2 and kind_new != 2:
                    kind_new = 0
                elif kind_new == 2 and kind_old != 2:
                    kind_old = 0
                if kind_old or kind_new:
                    if kind_old == 2 and kind_new == 2:  # two creatures: one went, one came
                        if counts[row] + 1 < was.shape[1]:
                            was[row, counts[row]], became[row, counts[row]] = old, -1
                            was[row, counts[row] + 1], became[row, counts[row] + 1] = -1, new
                            counts[row] += 2
                        continue
                    was[row, counts[row]] = old if kind_old else -1
                    became[row, counts[row]] = new if kind_new else -1
                    counts[row] += 1


@njit(cache=True)
def count_glyphs(glyphs: Array, low: int, high: int, out: Array) -> None:
    """How many entries of each row (flattened to 2-d) lie in [low, high)."""
    for row in range(glyphs.shape[0]):
        count = 0
        for column in range(glyphs.shape[1]):
            count += low <= glyphs[row, column] < high
        out[row] = count


@njit(cache=True)
def share_seen(glyphs: Array, rows: Array, unseen: int, out: Array) -> None:
    """The share of a row's cells (n, cells) that are not the glyph `unseen`."""
    for row in rows:
        seen = 0
        for column in range(glyphs.shape[1]):
            seen += glyphs[row, column] != unseen
        out[row] = seen / glyphs.shape[1]


@njit(cache=True)
def stairs_distance(glyphs: Array, blstats: Array, rows: Array, stairs: int, ladder: int, out: Array) -> None:
    """Chebyshev distance to the nearest visible way down, in map widths; 1 where none is in view.

    A hero who stands on the stairs hides them: the caller sets 0 there.
    """
    for row in rows:
        best = glyphs.shape[2]
        hero_x, hero_y = blstats[row, 0], blstats[row, 1]
        for y in range(glyphs.shape[1]):
            for x in range(glyphs.shape[2]):
                glyph = glyphs[row, y, x]
                if glyph in (stairs, ladder):
                    best = min(best, max(abs(x - hero_x), abs(y - hero_y)))
        out[row] = best / glyphs.shape[2]


# Penalty modes of nle's NetHackScore, in the order of `PENALTY_MODES`.
PENALTY_MODES = ("constant", "exp", "square", "linear", "always")


@njit(cache=True)
def judge_plain(
    blstats: Array, before: Array, internal: Array, steps: Array, done: Array, frozen: Array, limit: int, mode: int,
    penalty_step: float, penalty_time: float, staircase: bool, win: float, lose: float, reward: Array, status: Array,
) -> int:  # fmt: skip
    """Rewards and status of NetHackScore's and the staircase tasks.

    `before` is the bottom line before the step.

    Updates `frozen` (steps in a row that took no game time). Returns how many episodes have ended.
    """
    ended = 0
    for row in range(len(steps)):
        elapsed = blstats[row, 20] - before[row, 20]
        frozen[row] = frozen[row] + 1 if elapsed == 0 else 0
        if done[row]:
            status[row] = 1
        elif steps[row] >= limit:
            status[row] = -1
        elif staircase and internal[row, 4] != 0:
            status[row] = 2
        else:
            status[row] = 0
        ended += status[row] != 0
        if mode == 0:
            value = penalty_step if frozen[row] > 0 else 0.0
        elif mode == 1:
            value = penalty_step * 2.0 ** frozen[row]
        elif mode == 2:
            value = penalty_step * float(frozen[row]) ** 2
        elif mode == 3:
            value = penalty_step * frozen[row]
        else:
            value = penalty_step
        value += elapsed * penalty_time
        if staircase:
            if status[row] == 2:
                value += win
            elif status[row] != 0:
                value += lose
        elif not done[row]:
            value += blstats[row, 9] - before[row, 9]
        reward[row] = value
    return ended


@njit(cache=True)
def add_scouted(
    glyphs: Array, blstats: Array, rows: Array, unseen: int, first_score: Array, seen: Array, values: Array
) -> None:
    """Bring statistics (n, 6) up to the present screen.

    `seen` (n, 16 * 64) counts cells by branch and level.

    Columns of `values`: score, deepest level, gold, (kills, not ours), cells seen, experience
    level.
    """
    for row in rows:
        values[row, 0] = blstats[row, 9] - first_score[row]
        values[row, 1] = max(values[row, 1], float(blstats[row, 12]))
        values[row, 2] = max(values[row, 2], float(blstats[row, 13]))
        values[row, 5] = max(values[row, 5], float(blstats[row, 18]))
        place = (blstats[row, 23] % 16) * 64 + blstats[row, 24] % 64
        count = 0
        for y in range(glyphs.shape[1]):
            for x in range(glyphs.shape[2]):  # no branch inside: this becomes vector instructions
                count += glyphs[row, y, x] != unseen
        values[row, 4] += count - seen[row, place]
        seen[row, place] = count


@njit(cache=True)
def out_of_range(actions: Array, n: int) -> bool:
    """Is an action below 0 or not below n?"""
    wrong = 0
    for action in actions:
        wrong += (action < 0) | (action >= n)
    return wrong > 0
