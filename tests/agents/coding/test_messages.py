"""Digits, files as messages, agreements and capacity."""

from __future__ import annotations

import numpy as np
import pytest

from agents.coding import Agreement, Blocks, Capacity, Corrupted, Disagreement, TooLittleCapacity, must_match


def test_digits_are_remainders_the_least_significant_block_first():
    blocks = Blocks((5, 10, 2))
    assert blocks.digits(1 + 5 * 7 + 50) == (1, 7, 1)
    assert all(blocks.number(blocks.digits(message)) == message for message in range(blocks.count))
    huge = Blocks.of_bits(256)
    assert huge.sizes == (256,) * 32
    assert huge.number(huge.digits(2**256 - 1)) == 2**256 - 1


@pytest.mark.parametrize("message", [-1, 100, 2**300, (1, 2, 3), (5, 0, 0), (0, -1, 0)])
def test_messages_outside_the_blocks_are_refused(message):
    with pytest.raises(ValueError, match=r"expected a whole number|give one for each"):
        Blocks((5, 10, 2) if message != (1, 2, 3) else (5, 10)).digits(message)


def test_a_picture_that_blocks_do_not_cover_is_refused_and_any_other_comes_back():
    picture = np.random.default_rng(0).integers(0, 2, (16, 16))
    with pytest.raises(ValueError, match=r"hold 2\*\*128 messages, not the 2\*\*256"):
        Blocks((256,) * 16).from_bits(picture)
    for blocks in (Blocks.of_bits(256), Blocks.of_bits(256, 4), Blocks((3,) * 162)):
        assert (blocks.to_bits(blocks.from_bits(picture), (16, 16)) == picture).all()
    with pytest.raises(ValueError, match="0 or 1"):
        Blocks.of_bits(4).from_bits([0, 1, 2])


def test_files_of_any_length_come_back_over_as_many_messages_as_it_takes():
    rng = np.random.default_rng(1)
    for _ in range(30):
        blocks = Blocks(tuple(rng.integers(2, 300, rng.integers(1, 9))))
        content = rng.bytes(rng.integers(0, 300))
        messages = blocks.from_bytes(content)
        assert len(messages) == blocks.messages_for(len(content))
        assert blocks.to_bytes(messages) == content
        assert blocks.to_bytes([*messages, 0]) == content
    assert blocks.to_text(blocks.from_text("a crumb → ε")) == "a crumb → ε"


def test_what_was_not_received_as_it_was_sent_is_found_out():
    blocks = Blocks((256, 256))
    messages = blocks.from_bytes(b"breadcrumbs")
    with pytest.raises(Corrupted, match="missing"):
        blocks.to_bytes(messages[:-1])
    with pytest.raises(Corrupted, match="missing"):
        blocks.to_bytes([])
    for at in range(1, len(messages)):
        with pytest.raises(Corrupted):
            blocks.to_bytes([*messages[:at], messages[at] ^ 4, *messages[at + 1 :]])
    with pytest.raises(Corrupted, match="UTF-8"):
        blocks.to_text(blocks.from_bytes(b"\xff\xfe"))
    with pytest.raises(ValueError, match="holds no bit"):
        Blocks((1,)).from_bytes(b"")


def test_players_that_differ_are_told_in_what():
    mine = Agreement(
        {"rate": 0.5, "blocks": (256, 4), "grid": np.int64(1024), "network": {"hash": "ab", "temper": 1.0}}
    )
    same = Agreement({"network": {"temper": 1.0, "hash": "ab"}, "grid": 1024, "blocks": [256, 4], "rate": 0.5})
    must_match(mine, same)
    assert mine.digest() == same.digest()
    theirs = Agreement({**mine.terms, "network": {"hash": "cd", "temper": 1.0}, "noise": 0.1})
    with pytest.raises(Disagreement, match=r"network.hash: ab here, cd there; noise: nothing here, 0.1 there"):
        must_match(mine, theirs)
    assert mine.digest() != theirs.digest()
    for wrong in (np.nan, object(), {1: 2}):
        with pytest.raises(ValueError, match="prior"):
            Agreement({"prior": wrong})


def test_capacity_says_what_episodes_carry_and_how_many_it_takes():
    pilots = Capacity.of([[1.0] * 300, [1.0] * 340, [0.5] * 640])
    assert pilots.mean == 320
    pilots.must_fit(290, 1)
    pilots.must_fit(580, 2)
    with pytest.raises(TooLittleCapacity, match=r"600 bits.*carries 320 \(3 were .*some 3 would be needed, and 2 are"):
        pilots.must_fit(600, 2)
    with pytest.raises(TooLittleCapacity, match="no number of them would do"):
        Capacity.of([[0.0]]).must_fit(8, 100)
    with pytest.raises(ValueError, match="play one at least"):
        Capacity.of([])
