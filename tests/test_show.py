"""Pictures: silent in scripts, never without an alt text, closed after showing, white at zero."""

from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest
import torch

from course.data.diabetes import load_diabetes
from course.show import images, linear_models, show
from course.show.explore import explore
from course.show.images import heatmap_grid, image_grid


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list:
    """The figures that are shown, before they are closed."""
    kept: list = []

    def keep(fig, alt: str) -> None:
        fig.canvas.draw()
        kept.append(fig)
        show(fig, alt)

    monkeypatch.setattr(images, "show", keep)
    return kept


def test_a_picture_in_a_script_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    image_grid(torch.rand(3, 1, 8, 8), alt="three random images")
    assert capsys.readouterr().out == ""


def test_a_picture_without_alt_text_is_refused() -> None:
    fig = plt.figure()
    with pytest.raises(ValueError, match="alt text"):
        show(fig, "  ")
    plt.close(fig)


def test_pictures_are_kept_where_the_environment_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_PICTURES", str(tmp_path / "pictures"))
    image_grid(torch.rand(2, 8, 8), alt="first")
    image_grid(torch.rand(2, 8, 8), alt="second")
    kept = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert kept == ["01.png", "01.txt", "02.png", "02.txt"]
    assert (tmp_path / "pictures" / "02.txt").read_text() == "second\n"


def test_a_signed_map_is_white_at_zero_on_every_scale(drawn: list) -> None:
    maps = torch.stack([torch.linspace(-1, 3, 16), torch.linspace(-2, 0.5, 16)]).view(2, 4, 4)
    heatmap_grid(None, maps, alt="two maps")
    heatmap_grid(None, maps, alt="two maps", shared=True)
    limits = [[axis.images[0].get_clim() for axis in fig.axes[:2]] for fig in drawn]
    assert limits == [[(-3, 3), (-2, 2)], [(-3, 3), (-3, 3)]]


def test_a_map_without_negative_values_begins_with_white(drawn: list) -> None:
    heatmap_grid(None, torch.linspace(0, 5, 16).view(1, 4, 4), alt="a map")
    image = drawn[0].axes[0].images[0]
    assert image.get_clim() == (0, 5)
    assert min(image.cmap(0)[:3]) > 0.95


def test_maps_of_colour_images_are_summed_over_channels(drawn: list) -> None:
    heatmap_grid(torch.rand(1, 3, 4, 4), torch.ones(1, 3, 4, 4), alt="a map")
    assert (drawn[0].axes[0].images[0].get_array() == 3).all()


def test_one_image_may_serve_all_maps_and_other_numbers_are_refused() -> None:
    heatmap_grid(torch.rand(1, 4, 4), torch.rand(3, 4, 4), alt="three maps")
    with pytest.raises(ValueError, match="2 images for 3 maps"):
        heatmap_grid(torch.rand(2, 4, 4), torch.rand(3, 4, 4), alt="three maps")
    with pytest.raises(ValueError, match="1 titles for 2 images"):
        image_grid(torch.rand(2, 4, 4), titles=["one"], alt="two images")
    with pytest.raises(ValueError, match="no image to show"):
        image_grid(torch.rand(0, 4, 4), alt="nothing")
    with pytest.raises(ValueError, match=r"this one is \(5, 4, 4\)"):
        image_grid([torch.rand(5, 4, 4)], alt="five channels")


def test_exploring_in_a_script_draws_once_with_the_first_values() -> None:
    seen = []
    knob, menu = SimpleNamespace(value=3), SimpleNamespace(value="ε")
    explore(lambda digit, method: seen.append((digit, method)), digit=knob, method=menu)
    assert seen == [(3, "ε")]


def test_the_course_map_names_every_chapter_once() -> None:
    numbers = [number for chapters in linear_models.MAP.values() for number, _ in chapters]
    assert sorted(numbers) == list(range(1, 15))


def test_the_diabetes_data_are_complete() -> None:
    people = load_diabetes()
    assert people.x.shape == (442, len(people.names)) == (442, len(people.units))
    assert people.x.isfinite().all()
    assert (people.y.min(), people.y.max()) == (25, 346)
