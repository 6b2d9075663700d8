"""Pictures of many worlds: shapes lie where they should, are as large, and images are apart."""

from __future__ import annotations

import numpy as np
import pytest

from envs.classic.drawing import Canvas

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
EXTENT = ((-1.0, 1.0), (-1.0, 1.0))


def canvas(m=1, size=64, upwards=True):
    return Canvas(m, size, EXTENT, upwards=upwards, ground=BLACK)


def area(image):
    """How much of the plane is white."""
    return image[..., 0].mean() / 255 * 4


def middle(image, upwards=True):
    size = len(image)
    share = image[..., 0] / image[..., 0].sum()
    at = (np.arange(size) + 0.5) / size * 2 - 1
    y = (share.sum(axis=1) * at).sum()
    return (share.sum(axis=0) * at).sum(), -y if upwards else y


@pytest.mark.parametrize("size", [32, 64, 200])
def test_a_disc_covers_its_area_about_its_middle(size):
    drawn = canvas(2, size)
    drawn.discs([[0.3, -0.2], [-0.41, 0.13]], 0.25, WHITE)
    for image, place in zip(drawn.images(), [(0.3, -0.2), (-0.41, 0.13)], strict=True):
        assert area(image) == pytest.approx(np.pi * 0.25**2, rel=0.02)
        assert middle(image) == pytest.approx(place, abs=0.005)


def test_a_capsule_is_a_line_with_round_ends():
    drawn = canvas()
    drawn.capsules((-0.5, -0.3), (0.4, 0.6), 0.1, WHITE)
    length = np.hypot(0.9, 0.9)
    assert area(drawn.images()[0]) == pytest.approx(length * 0.2 + np.pi * 0.1**2, rel=0.02)
    assert middle(drawn.images()[0]) == pytest.approx((-0.05, 0.15), abs=0.005)


def test_a_capsule_without_length_is_a_disc():
    one, other = canvas(), canvas()
    one.capsules((0.2, 0.2), (0.2, 0.2), 0.3, WHITE)
    other.discs((0.2, 0.2), 0.3, WHITE)
    np.testing.assert_array_equal(one.images(), other.images())


def test_a_box_covers_what_lies_between_its_corners():
    drawn = canvas()
    drawn.boxes((-0.5, 0.25), (0.25, 0.75), WHITE)
    assert area(drawn.images()[0]) == pytest.approx(0.75 * 0.5, rel=1e-3)
    assert middle(drawn.images()[0]) == pytest.approx((-0.125, 0.5), abs=1e-3)


@pytest.mark.parametrize("upwards", [True, False])
def test_up_is_where_it_is_said_to_be(upwards):
    drawn = canvas(upwards=upwards)
    drawn.discs((0.0, 0.8), 0.1, WHITE)
    assert middle(drawn.images()[0], upwards) == pytest.approx((0, 0.8), abs=0.005)
    assert (drawn.images()[0, :32].max() > 0) == upwards


def test_a_move_of_less_than_a_pixel_shows():
    drawn = canvas(2, 32)
    drawn.discs([[0.0, 0.0], [0.01, 0.0]], 0.2, WHITE)
    assert (drawn.images()[0] != drawn.images()[1]).any()


def test_what_is_drawn_later_lies_on_top():
    drawn = canvas()
    drawn.discs((0, 0), 0.5, WHITE)
    drawn.discs((0, 0), 0.2, (10, 200, 30))
    assert drawn.images()[0, 32, 32].tolist() == [10, 200, 30]
    assert drawn.images()[0, 32, 20].tolist() == [255, 255, 255]
