"""Volumes: what files of them say, how they get their size, and how they are shown and taken elsewhere."""

import io
import struct
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mintage.metrics.voxels import largest_parts
from stages.common.params import Normalize
from stages.media.cells import npy
from stages.media.medium import UnusableError
from stages.media.meshes import cells_of, surface_cells
from stages.media.volumes import Volumes
from stages.sources.solids import draw_solid
from tests.refusals import refused
from tests.stages.source_files import normalize_params
from tests.stages.test_source_fuzz import damaged, fuzzed

MOST = 10**6
trimesh = pytest.importorskip("trimesh")


def to(height: int, depth: int, width: int, **changes: Any) -> Normalize:
    return normalize_params(height=height, depth=depth, width=width, **changes)


def mesh(shape: Any, kind: str) -> bytes:
    content = shape.export(file_type=kind)
    return content.encode() if isinstance(content, str) else bytes(content)


def decoded(content: bytes, settings: Normalize, **facts: Any) -> Any:
    return Volumes(**facts).decode(content, settings, MOST).values


@given(arrays(np.bool_, (3, 4, 5)))
def test_truths_are_empty_and_occupied_cells(cells: Any) -> None:
    for kind in (np.bool_, np.uint8, np.int32, np.float32):
        assert np.array_equal(decoded(npy(cells.astype(kind)), to(3, 4, 5)), np.where(cells, 1, -1)[None])


def test_what_is_encoded_is_decoded_to_8_bits() -> None:
    sample = np.random.default_rng(0).uniform(-1, 1, (1, 4, 5, 6)).astype(np.float32)
    content, suffix = Volumes().encode(sample)
    assert suffix == "npy"
    assert np.load(io.BytesIO(content)).shape == (4, 5, 6)
    assert np.abs(decoded(content, to(4, 5, 6)) - sample).max() <= 1 / 255 + 1e-6


def test_the_ends_of_other_numbers_are_said() -> None:
    values = np.linspace(-1000, 3000, 27).reshape(3, 3, 3).astype(np.int16)
    found = decoded(npy(values), to(3, 3, 3), empty=-1000.0, occupied=3000.0)
    assert (found.min(), found.max()) == (-1, 1)
    turned = decoded(npy(values), to(3, 3, 3), empty=3000.0, occupied=-1000.0)
    assert np.allclose(found, -turned, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (npy(np.full((4, 4, 4), np.nan)), "some of its numbers are not finite"),
        (npy(np.zeros((4, 4))), "it is of the shape [4, 4], not [height, depth, width] of 1 channels"),
        (npy(np.zeros((2, 4, 4, 4))), "not [height, depth, width] of 1 channels"),
        (npy(np.zeros((4, 0, 4))), "it is of the shape [4, 0, 4]"),
        (npy(np.full((4, 4, 4), 7, np.int64)), "it holds int64 from 7 to 7: set ingest.options.empty"),
        (npy(np.full((4, 4, 4), 0.5)), "it holds float64 from 0.5 to 0.5"),
        (npy(np.full((4, 4, 4), "a")), "it holds <U1, no numbers"),
        (npy(np.zeros((200, 200, 200), np.bool_)), "it says it has 8000000 numbers"),
        (npy(np.zeros((4, 4, 4)))[:-8], "it is no NumPy array"),
        (b"\x93NUMPY", "it is no NumPy array"),
        (b"PK\x03\x04 and no more", "it is no whole npz"),
        (b"", "a mesh without faces"),
        (b"<html>", "a mesh without faces"),
        (b"OFF\n1 1 0\n", "it is no array, and no mesh"),
        (b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "no mesh in OBJ, STL, PLY or OFF"),
        (b"v 0 0 0\nv nan 0 0\nv 0 1 0\nf 1 2 3\n", "at no finite place"),
        (b"v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", "all at one place"),
        (b"v 1e308 1 1\nv -1e308 1 1\nv 1 1 1\nf 1 2 3\n", "too far apart"),
    ],
)
def test_what_can_be_no_volume_is_one_reason(content: bytes, reason: str) -> None:
    with pytest.raises(UnusableError) as found:
        decoded(content, to(4, 4, 4))
    assert reason in str(found.value)
    assert "\n" not in str(found.value)


def test_a_pickle_is_never_read(tmp_path: Any) -> None:
    file = io.BytesIO()
    np.save(file, np.array([object()]), allow_pickle=True)
    with pytest.raises(UnusableError, match="as pickles, which are never read"):
        decoded(file.getvalue(), to(4, 4, 4))


def test_an_npz_that_unpacks_to_too_much_or_holds_several_is_refused() -> None:
    one, two = io.BytesIO(), io.BytesIO()
    np.savez_compressed(one, a=np.zeros(10**8, np.uint8))
    np.savez(two, a=np.zeros((2, 2, 2)), b=np.zeros((2, 2, 2)))
    for file, reason in ((one, "unpacks to more|says it has"), (two, "holds 2 arrays: one is a volume")):
        with pytest.raises(UnusableError, match=reason):
            decoded(file.getvalue(), to(4, 4, 4))


@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_a_wire_stays_whole_however_much_a_volume_shrinks(side: int) -> None:
    cells = np.zeros((13, 13, 13), np.bool_)
    cells[:, 6, 6] = True
    assert (decoded(npy(cells), to(side, side, side)) > 0).any((0, 2, 3)).all()


def test_letterbox_keeps_proportions_on_the_ground_and_resize_stretches() -> None:
    cells = np.ones((4, 8, 2), np.bool_)
    kept = decoded(npy(cells), to(8, 8, 8, fit="letterbox", upscale="allow"))[0] > 0
    assert kept.sum() == cells.sum()
    assert kept[:4, :, 3:5].all()
    assert (decoded(npy(cells), to(8, 8, 8, upscale="allow")) > 0).all()
    with pytest.raises(UnusableError, match="enlarged from 4 x 8 x 2 to 8 x 8 x 8 cells"):
        decoded(npy(cells), to(8, 8, 8, upscale="refuse"))


@pytest.mark.parametrize("kind", ["obj", "stl", "ply", "off"])
def test_each_format_of_a_mesh_gives_the_same_cells(kind: str) -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    cells, found = cells_of(mesh(ball, kind), (16, 16, 16), "resize", "y")
    assert found == kind
    inside: Any = np.linalg.norm(np.indices((16, 16, 16)) - 7.5, axis=0)
    assert cells[inside < 7.5].all()
    assert not cells[inside > 9].any()


def test_a_mesh_stands_as_its_axis_says() -> None:
    """A wedge: high at the right, and deep at the bottom alone."""
    corners = np.array([[0, 0, 0], [4, 0, 0], [0, 0, 4], [4, 0, 4], [4, 8, 0]], float)  # right, up, front
    faces = [[0, 1, 3], [0, 3, 2], [0, 4, 1], [1, 4, 3], [0, 2, 4], [2, 3, 4]]
    by_y = cells_of(mesh(trimesh.Trimesh(corners, faces, process=False), "ply"), (8, 4, 4), "resize", "y")[0]
    turned = corners[:, [0, 2, 1]] * (1, -1, 1)  # right, -front, up
    by_z = cells_of(mesh(trimesh.Trimesh(turned, faces, process=False), "ply"), (8, 4, 4), "resize", "z")[0]
    assert by_y[0].all()
    assert by_y[7, 0, 3]
    assert by_y[7].sum() <= 4
    assert (by_y == by_z).mean() > 0.97


@given(st.integers(0, 2**32 - 1))
def test_nothing_leaks_through_a_closed_surface_of_triangles(seed: int) -> None:
    """Of any size and turn: the middle of a convex body is inside, whatever its grid."""
    random = np.random.default_rng(seed)
    body = trimesh.convex.convex_hull(random.normal(size=(12, 3))) if seed % 2 else trimesh.creation.box((1, 1, 1))
    body.apply_transform(trimesh.transformations.random_rotation_matrix(random.random(3)))
    height, depth, width = random.integers(5, 24, 3).tolist()
    size = (height, depth, width)
    cells, _ = cells_of(mesh(body, "off"), size, "resize", "y")
    corners = np.asarray(body.vertices)[:, [1, 2, 0]]
    middle = (corners.mean(0) - corners.min(0)) / np.ptp(corners, axis=0) * size
    assert cells[tuple(middle.astype(int))]
    assert largest_parts(torch.from_numpy(cells)[None, None].float()).item() == 1


def test_a_surface_with_a_hole_encloses_nothing() -> None:
    box = trimesh.creation.box((1, 1, 1))
    closed, _ = cells_of(mesh(box, "ply"), (8, 8, 8), "resize", "y")
    box.update_faces(box.face_normals[:, 0] < 0.5)
    opened, _ = cells_of(mesh(box, "ply"), (8, 8, 8), "resize", "y")
    assert closed.all()
    assert not opened[1:-1, 1:-1, 1:].any()
    assert opened.any()


def test_a_surface_that_is_too_much_to_look_at_is_refused() -> None:
    triangles = np.tile(np.array([[[0, 0, 0], [4000, 0, 0], [0, 4000, 0]]], float), (20, 1, 1))
    with pytest.raises(UnusableError, match="more surface than can be looked at"):
        surface_cells(triangles, (4000, 4000, 4))


@fuzzed
@given(
    content=damaged(
        st.sampled_from(
            [mesh(trimesh.creation.box((1, 1, 1)), kind) for kind in ("obj", "stl", "ply", "off")]
            + [npy(np.ones((3, 3, 3), np.bool_)), npy(np.zeros((2, 3, 4), np.float32))]
        )
    )
)
@pytest.mark.filterwarnings("ignore")  # of numpy and trimesh, on damaged numbers
def test_any_bytes_are_a_volume_or_one_reason(content: bytes) -> None:
    values, reason = None, "none"
    try:
        values = Volumes().decode(content, to(4, 4, 4, upscale="allow"), 10**4).values
    except UnusableError as error:
        reason = str(error)
    assert "\n" not in reason
    assert len(reason) < 300
    assert values is None or (values.shape == (1, 4, 4, 4) and ((values >= -1) & (values <= 1)).all())


def test_without_trimesh_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.common.readers.find_spec", lambda name: None)
    with refused("meshes-need-trimesh", "requirements/meshes.txt"):
        decoded(b"v 0 0 0\n", to(4, 4, 4))


def test_a_stl_of_millions_of_faces_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.media.meshes.MOST_FACES", 10)
    faces = np.zeros((11, 50), np.uint8).tobytes()
    with pytest.raises(UnusableError, match="11 triangles, more than 10: simplify it"):
        decoded(bytes(80) + struct.pack("<I", 11) + faces, to(4, 4, 4))


def test_a_volume_is_shown_as_a_view_of_its_cell_and_opened_as_a_mesh() -> None:
    ball = np.linalg.norm(np.indices((8, 8, 8)) - 3.5, axis=0) < 3
    samples = np.where(ball, 1, -1).astype(np.float32)[None, None]
    medium = Volumes()
    pixels = medium.pixels(np.concatenate([samples, -np.ones_like(samples)]))
    assert pixels.shape[2:] == medium.cell((1, 8, 8, 8))
    assert len(np.unique(pixels[0])) > 10
    assert (pixels[1] == 255).all(), "nothing to see"
    opened = medium.to_open(*medium.encode(samples[0]), "generated")
    assert opened is not None
    content, suffix = opened
    assert (suffix, content.splitlines()[0]) == ("obj", b"# generated")
    again, _ = cells_of(content, (6, 6, 6), "resize", "y")
    assert np.array_equal(again, ball[1:7, 1:7, 1:7])
    assert medium.to_open(*medium.encode(-np.ones_like(samples[0])), "generated") is None


@pytest.fixture(scope="module")
def solids() -> torch.Tensor:
    drawn = np.stack([draw_solid(16, 0, number) for number in range(600)])
    return torch.from_numpy(drawn)[:, None].float() * 2 - 1


def test_real_shapes_reach_the_floor_and_one_shape_made_over_and_over_does_not(solids: torch.Tensor) -> None:
    held, real = solids[:300], solids[300:]
    floor, copied = (Volumes().measure(some, held) for some in (real, real[:1].expand(300, -1, -1, -1, -1)))
    assert floor["shape_coverage"] > 0.5
    assert floor["neighbor_accuracy"] == pytest.approx(0.5, abs=0.07)
    assert copied["shape_coverage"] < 0.01
    assert copied["neighbor_accuracy"] > 0.99
    halves = torch.cat([real[..., 8:], real[..., :8]], -1)
    exchanged = Volumes().measure(halves, held)
    assert exchanged["shape_coverage"] < 0.6 * floor["shape_coverage"]
    assert exchanged["neighbor_accuracy"] > 0.95


def test_each_figure_of_shapes_is_deceived_by_some_bad_model_so_that_none_can_choose(solids: torch.Tensor) -> None:
    held, real = solids[:300], solids[300:]
    random = torch.Generator().manual_seed(0)
    noise = torch.where(torch.rand(real.shape, generator=random) < 0.15, 1.0, -1.0)
    noisy = torch.where(torch.rand(real.shape, generator=random) < 0.05, -real, real)
    floor, of_noise, of_noisy, block = (
        Volumes().measure(some, held) for some in (real, noise, noisy, torch.ones_like(real))
    )
    deceived = {
        "neighbor_accuracy": of_noise["neighbor_accuracy"] < floor["neighbor_accuracy"] + 0.05,
        "shape_coverage": of_noisy["shape_coverage"] > floor["shape_coverage"] - 0.05,
        "largest_part": block["largest_part"] >= floor["largest_part"],
    }
    assert (
        deceived
        == dict.fromkeys(Volumes.metrics, True)
        == {name: metric.guard_only is not None for name, metric in Volumes.metrics.items()}
    )
    assert of_noise["shape_coverage"] < 0.3 * floor["shape_coverage"], "together they tell"
    assert of_noisy["largest_part"] < 0.9
    assert block["neighbor_accuracy"] > 0.99


def test_figures_are_of_equal_counts_whichever_are_more(solids: torch.Tensor) -> None:
    few, many = Volumes().measure(solids[:100], solids[300:]), Volumes().measure(solids[:300], solids[300:400])
    assert few["neighbor_accuracy"] == pytest.approx(many["neighbor_accuracy"], abs=0.12)
