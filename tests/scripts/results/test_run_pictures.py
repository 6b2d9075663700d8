import pytest
from PIL import Image

from scripts.results.run_pictures import plot_run
from tests.scripts.synthetic import make_run


def test_a_run_gets_four_pictures_that_fit_a_page(tmp_path):
    run = make_run(tmp_path / "a", shaping="events")
    drawn = plot_run(run)
    assert [path.name for path in drawn] == ["learning_curve.png", "rewards.png", "outcome.png", "losses.png"]
    for path in drawn:
        width, height = Image.open(path).size
        assert 300 < width <= 1600
        assert height > 200
    assert not list((run / "plots").glob(".*"))


def test_a_run_without_losses_or_success_gets_what_it_has(tmp_path):
    run = make_run(tmp_path / "a", success=False)
    text = (run / "progress.csv").read_text().replace("train/", "other/").replace("reward/", "none/")
    (run / "progress.csv").write_text(text)
    assert [path.name for path in plot_run(run)] == ["learning_curve.png"]


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"progress\.csv"):
        plot_run(tmp_path)
    (tmp_path / "progress.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="total_timesteps"):
        plot_run(tmp_path)
