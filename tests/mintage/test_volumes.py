"""Volumes: what is said of their shapes, how they are drawn, and the surfaces that are written of them."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

import mintage
from mintage.dataset import Dataset
from mintage.devices import choose_precision
from mintage.metrics.voxels import ious, largest_parts, neighbor_accuracy, shape_coverage
from mintage.randomness import stream
from mintage.volumes import save_obj, shaded_views, surface_of


def boxes(*corners: tuple[int, int, int, int, int, int], side: int = 12) -> Tensor:
    """A volume with boxes, each from three numbers to three others."""
    volume = -torch.ones(1, side, side, side)
    for a, b, c, d, e, f in corners:
        volume[0, a:d, b:e, c:f] = 1
    return volume


def noise(count: int, share: float, side: int = 8) -> Tensor:
    drawn = torch.rand(count, 1, side, side, side, generator=stream(0, f"noise/{share}"))
    return (drawn < share).float() * 2 - 1


def test_iou_is_the_common_share_of_both_shapes() -> None:
    two, one, none = boxes((0, 0, 0, 4, 4, 4)), boxes((0, 0, 0, 2, 4, 4)), boxes()
    found = ious(torch.stack([two, none]), torch.stack([two, one, none]))
    assert found.tolist() == [[1, 0.5, 0], [0, 0, 1]]


def test_shapes_that_are_all_alike_cover_one_and_are_told_apart_while_real_ones_cover_all() -> None:
    real = noise(20, 0.3)
    assert shape_coverage(real, real) == 1
    assert shape_coverage(real, real[:1].expand(20, -1, -1, -1, -1)) == 1 / 20
    left = real.clone()
    left[..., 4:] = -1
    assert neighbor_accuracy(left, left.flip(-1)) == 1
    assert neighbor_accuracy(real, real) == 0  # a copy is nearest to its original
    twins = [noise(30, 0.3)[::2], noise(30, 0.3)[1::2]]
    assert neighbor_accuracy(*twins) == pytest.approx(0.5, abs=0.25)


def test_the_largest_part_is_the_share_of_what_hangs_together() -> None:
    cases = {
        1.0: boxes((0, 0, 0, 3, 3, 3)),
        0.75: boxes((0, 0, 0, 1, 1, 3), (6, 6, 6, 7, 7, 7)),
        0.0: boxes(),
    }
    assert largest_parts(torch.stack([*cases.values()])).tolist() == pytest.approx([*cases])
    corner = boxes((0, 0, 0, 1, 1, 1), (1, 1, 1, 2, 2, 2))
    assert largest_parts(corner[None]).tolist() == [1.0]
    spiral = -torch.ones(1, 12, 12, 12)  # far from end to end
    spiral[0, 0, 0, :] = spiral[0, 0, :, 11] = spiral[0, 0, 11, :] = spiral[0, :, 11, 0] = 1
    assert largest_parts(spiral[None]).tolist() == [1.0]


def test_a_view_shows_a_thing_where_it_is_lit_from_above_on_white() -> None:
    nothing, slab, post = boxes(), boxes((0, 0, 0, 2, 12, 12)), boxes((0, 5, 5, 12, 7, 7))
    views = shaded_views(torch.stack([nothing, slab, post]), 48)
    assert views.shape == (3, 1, 48, 48)
    assert views.abs().max() <= 1
    assert (views[0] == 1).all()
    rows = [(view[0] < 1).any(1).nonzero().squeeze(1) for view in views[1:]]
    assert rows[0].float().mean() > 26  # it lies at the bottom
    assert len(rows[1]) > 25  # it stands
    top, front = shaded_views(slab[None], 48, elevation=90), shaded_views(slab[None], 48, azimuth=0, elevation=0)
    assert top[top < 1].mean() > front[front < 1].mean()


def test_what_is_at_the_right_is_shown_at_the_right_and_what_is_in_front_hides_what_is_behind() -> None:
    right = shaded_views(boxes((0, 0, 9, 12, 12, 12))[None], 48, azimuth=0, elevation=0)[0, 0]
    assert (right < 1).any(0).nonzero().min() > 24
    post, wall = boxes((0, 9, 5, 12, 11, 7)), boxes((0, 2, 0, 12, 4, 12))
    alone, before = (shaded_views(one[None], 48, azimuth=0, elevation=0)[0, 0] for one in (wall, post.max(wall)))
    changed = (alone != before).any(0).nonzero().squeeze(1)
    assert changed.min() > 16
    assert changed.max() < 32
    behind = boxes((0, 0, 5, 12, 1, 7)).max(wall)  # it changes nothing that is seen
    assert torch.equal(shaded_views(behind[None], 48, azimuth=0, elevation=0)[0, 0] < 1, alone < 1)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.8, 1.0])
def test_a_surface_is_closed_looks_outward_and_holds_what_was_occupied(share: float) -> None:
    volume = noise(1, share, 6)[0]
    corners, triangles = surface_of(volume)
    edges = Counter((a, b) for one in triangles.tolist() for a, b in zip(one, one[1:] + one[:1], strict=True))
    assert all(edges[a, b] == edges[b, a] for a, b in edges)
    a, b, c = corners.double()[triangles].unbind(1)
    held = (a * torch.linalg.cross(b, c)).sum() / 6  # the divergence theorem; below 0 were it turned inside out
    assert held.item() == pytest.approx((volume > 0).sum().item())


def test_a_written_surface_stands_upright_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    save_obj(tmp_path / "post.obj", boxes((0, 9, 5, 12, 11, 7)))
    lines = [line.split() for line in (tmp_path / "post.obj").read_text().splitlines()]
    corners = torch.tensor([[float(value) for value in rest] for kind, *rest in lines if kind == "v"])
    assert corners.amin(0).tolist() == [5, 0, 9]  # right, up, front
    assert corners.amax(0).tolist() == [7, 12, 11]
    with pytest.raises(ValueError, match="the volume is empty"):
        save_obj(tmp_path / "none.obj", boxes())


def test_a_model_of_volumes_is_measured_by_its_shapes_too() -> None:
    data = Dataset(noise(40, 0.3))
    recipe = {"width": 4, "latent_size": 6, "batch_size": 8}
    model = mintage.train(data, "gan3d", images=32, recipe=recipe, progress=False).model
    table = mintage.measure(model, data, evaluator_images=128)
    assert {"shape_coverage", "neighbor_accuracy", "largest_part"} <= table.keys()
    assert table["neighbor_accuracy"].value > table["neighbor_accuracy"].floor


def test_volumes_are_trained_in_float32_on_a_cpu() -> None:
    assert choose_precision("auto", torch.device("cpu"), (1, 16, 16, 16)) == torch.float32
