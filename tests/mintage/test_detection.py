"""A detector: how often it is right, where it says so, and by which files it comes back."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mintage import load, load_detector
from mintage.detection import Detector, train_detector
from mintage.players import build_players
from mintage.release import ReleaseError
from tests.mintage.test_release import CONFIG, write_release


def noise(count: int, seed: int, center: float = 0.0) -> Tensor:
    """Images of uniform noise around a brightness."""
    random = torch.Generator().manual_seed(seed)
    return center + torch.rand(count, 1, 8, 8, generator=random) - 0.5


@pytest.fixture(scope="module")
def planted() -> Detector:
    """Of a model whose images are darker than real ones."""
    return train_detector(noise(300, 0), noise(300, 1, -0.4), images=6400)


def test_what_differs_is_told_and_its_error_is_beside_it(planted: Detector) -> None:
    found = planted.measured(noise(200, 2), noise(200, 3, -0.4))
    assert found.accuracy is not None
    assert found.accuracy.balanced > 0.97
    assert 0 < found.accuracy.error < 0.02
    assert "no better than guessing" not in found.accuracy.sentence


def test_of_images_that_do_not_differ_it_is_said_that_it_guesses() -> None:
    same = noise(500, 2)  # as many of them are called real as of the generated ones
    accuracy = train_detector(noise(300, 0), noise(300, 1), images=2560).measured(same, same).accuracy
    assert accuracy is not None
    assert accuracy.balanced == pytest.approx(0.5)
    assert accuracy.sentence.endswith("guessing gives 50%. It is no better than guessing.")


def test_both_errors_are_about_equal_also_where_one_kind_is_rare() -> None:
    accuracy = train_detector(noise(900, 0), noise(150, 1, -0.03), images=6400).measured(
        noise(2000, 2), noise(2000, 3, -0.03)
    ).accuracy  # fmt: skip
    assert accuracy is not None
    assert accuracy.balanced > 0.55
    assert abs(accuracy.real - accuracy.generated) < 0.25


def test_each_image_is_judged_alone_and_one_in_levels_as_in_floats(planted: Detector) -> None:
    levels = ((noise(20, 4, -0.2) + 1) * 127.5).round().to(torch.uint8)
    together = planted.scores(levels)
    alone = torch.cat([planted.scores(levels[i : i + 1].float() / 127.5 - 1) for i in range(20)])
    assert torch.allclose(together, alone, atol=1e-4)
    assert planted.detect(levels).tolist() == (together > 0).tolist()
    assert len(set(planted.detect(levels).tolist())) == 2


@pytest.mark.parametrize(
    ("real", "made", "reason"),
    [
        ((300, 1, 8, 8), (300, 1, 8, 9), "of one shape"),
        ((9, 1, 8, 8), (300, 1, 8, 8), "give 10 or more"),
        ((300, 1, 1, 2), (300, 1, 1, 2), "points are too small"),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused(real: tuple[int, ...], made: tuple[int, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        train_detector(torch.zeros(real), torch.zeros(made))


def test_an_image_of_another_size_is_refused(planted: Detector) -> None:
    with pytest.raises(ValueError, match=r"images are \(1, 9, 9\), and the detector's are \(1, 8, 8\)"):
        planted.detect(torch.zeros(1, 1, 9, 9))


def released(root: Path, detector: Detector | None) -> Path:
    files = {} if detector is None else detector.files()
    write_release(root, build_players(CONFIG, 0)[0].eval(), "production", **files)
    return root / "channels/production"


def test_it_comes_back_from_a_folder_and_from_a_release_that_still_loads(planted: Detector, tmp_path: Path) -> None:
    measured = planted.measured(noise(50, 2), noise(50, 3, -0.4))
    load(released(tmp_path, measured), tmp_path / "cache").save(tmp_path / "folder")
    measured.save(tmp_path / "folder")
    for address in (tmp_path / "folder", tmp_path / "channels/production"):
        found = load_detector(address, tmp_path / "cache")
        assert torch.allclose(found.scores(noise(9, 5)), planted.scores(noise(9, 5)), atol=1e-4)
        assert found.accuracy == measured.accuracy


def test_a_release_or_a_folder_without_one_says_so(tmp_path: Path) -> None:
    model = load(released(tmp_path, None), tmp_path / "cache")
    model.save(tmp_path / "folder")
    for address in (tmp_path / "folder", tmp_path / "channels/production"):
        with pytest.raises(ReleaseError, match="carries no detector: set select"):
            load_detector(address, tmp_path / "cache")


@pytest.mark.parametrize("name", ["detector.safetensors", "detector.json"])
def test_a_changed_file_is_refused_and_the_model_is_still_loaded(planted: Detector, tmp_path: Path, name: str) -> None:
    address = released(tmp_path, planted)
    (path,) = tmp_path.rglob(name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ReleaseError, match=r"detector\.\w+ is damaged: its SHA-256"):
        load_detector(address, tmp_path / "cache")
    load(address, tmp_path / "cache")


def test_a_folder_whose_detector_is_of_another_network_is_refused(planted: Detector, tmp_path: Path) -> None:
    load(released(tmp_path, None), tmp_path / "cache").save(tmp_path / "folder")
    planted.save(tmp_path / "folder")
    text = (tmp_path / "folder/detector.json").read_text()
    (tmp_path / "folder/detector.json").write_text(text.replace('"features": 64', '"features": 32'))
    with pytest.raises(ReleaseError, match="cannot be loaded"):
        load_detector(tmp_path / "folder")
