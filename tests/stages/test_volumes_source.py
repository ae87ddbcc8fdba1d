"""Sources of volumes: folders and archives of arrays and meshes, one array of all, and drawn solids."""

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mintage.metrics.voxels import largest_parts
from mintage.volumes import save_obj
from stages.common.split import Split
from stages.media import medium_of
from stages.media.cells import npy
from stages.media.volumes import Volumes
from stages.sources import open_source
from stages.sources.kinds import advice_on
from stages.sources.solids import SOLIDS, draw_solid
from tests.refusals import refused
from tests.stages.hostile_inputs import PNG
from tests.stages.source_files import ingest_params, ingested, normalized, zip_beside, zipped
from tests.stages.test_source_fuzz import damaged, fuzzed, taken

KINDS = ("stool", "table")


def random_shapes(count: int, side: int = 6) -> Any:
    return np.random.default_rng(0).random((count, side, side, side)) < 0.5


def write_folder(root: Path, count: int = 12) -> Any:
    """Arrays, and meshes of cells, in turn, of two classes: the cells."""
    cells = random_shapes(count)
    cells[:, 0, 0, 0] = cells[:, -1, -1, -1] = True  # so that the box around a mesh is the whole
    for number, one in enumerate(cells):
        folder = root / KINDS[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        if number % 3:
            (folder / f"{number:03d}.npy").write_bytes(npy(one))
        else:
            save_obj(folder / f"{number:03d}.obj", torch.from_numpy(one)[None].float())
    return cells


def found_in(folder: Path) -> dict[str, Any]:
    splits = [Split(folder / "normalized" / side) for side in ("train", "holdout")]
    return {key: one for split in splits for key, one in zip(split.keys, split.images(), strict=True)}


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_or_a_zip_of_arrays_and_meshes_is_read_in_all_its_classes(tmp_path: Path, packed: bool) -> None:
    pytest.importorskip("trimesh")
    cells = write_folder(tmp_path / "tree")
    (tmp_path / "tree/LICENCE.txt").write_text("CC0")
    path = zip_beside(tmp_path / "tree") if packed else tmp_path / "tree"
    table = ingested(tmp_path / "raw", source="volumes", path=str(path))
    assert len(table) == 12
    manifest = normalized(tmp_path, depth=6, height=6, width=6)
    assert (manifest["shape"], manifest["classes"]) == ([1, 6, 6, 6], list(KINDS))
    assert isinstance(medium_of(manifest), Volumes)
    found = found_in(tmp_path)
    for key, one in found.items():
        whole = cells[int(key[-7:-4])]
        same = (one[0] > 0) == whole
        assert same.all() or (key.endswith(".obj") and (one[0] > 0)[whole].all()), "a mesh also has what it encloses"


def test_one_array_of_all_volumes_comes_with_its_labels(tmp_path: Path) -> None:
    cells = random_shapes(10)
    np.savez(tmp_path / "all.npz", voxels=cells, labels=np.arange(10) % 2)
    ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "all.npz"))
    manifest = normalized(tmp_path, depth=6, height=6, width=6)
    assert manifest["classes"] == ["0", "1"]
    found = found_in(tmp_path)
    assert len(found) == 10
    for key, one in found.items():
        assert np.array_equal(one[0] > 0, cells[int(key[-6:])])


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_a_folder_with_one_file_alone_is_read_as_that_file(tmp_path: Path, version: tuple[int, int]) -> None:
    (tmp_path / "source").mkdir()
    with open(tmp_path / "source/all.npy", "wb") as file:
        np.lib.format.write_array(file, random_shapes(4), version)
    assert len(ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "source"))) == 4


def test_a_folder_with_one_volume_alone_holds_one(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/one.npy").write_bytes(npy(random_shapes(1)[0]))
    with refused("images-too-few", "holds 1 image"):
        ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "in"))


def test_a_note_alone_is_no_broken_archive(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("your volumes go here")
    with refused("source-without-images", "holds no volumes"):
        ingested(tmp_path / "raw", source="volumes", path=str(tmp_path))


def test_raw_shards_keep_the_bytes_of_each_file(tmp_path: Path) -> None:
    pytest.importorskip("trimesh")
    write_folder(tmp_path / "tree", 4)
    table = ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "tree"))
    for row in table.to_pylist():
        assert row["image"]["bytes"] == (tmp_path / "tree" / row["key"]).read_bytes()


@pytest.mark.parametrize(
    ("array", "code", "reason"),
    [
        (np.zeros((4, 6, 6)), "arrays-shape", "volumes are [N,height,depth,width]"),
        (np.zeros((4, 0, 6, 6)), "arrays-shape", "has the shape (4, 0, 6, 6)"),
        (np.zeros((4, 2, 2, 2), np.complex64), "arrays-dtype", "volumes are true and false, or numbers"),
        (np.zeros((2, 200, 200, 200), np.bool_), "image-too-large", "(200, 200, 200) numbers a volume"),
    ],
)
def test_an_array_that_is_of_no_volumes_is_refused(tmp_path: Path, array: Any, code: str, reason: str) -> None:
    np.save(tmp_path / "all.npy", array)
    with refused(code, reason):
        ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "all.npy"))


def test_a_folder_without_volumes_says_what_they_are_known_by(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "tree" / name).write_bytes(PNG)
    with refused(
        "source-without-images",
        "holds no volumes (known by .dcm .dicom .ima .nii .nii.gz .npy .npz .obj .off .ply .stl)",
    ):
        ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "tree"))
    with refused("source-missing", "set ingest.path to a folder or an archive"):
        ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "nowhere"))


@pytest.mark.parametrize("options", [{"empty": 0.0}, {"empty": 1.0, "occupied": 1.0}, {"up": "x"}])
def test_options_that_say_nothing_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    write_folder(tmp_path / "tree", 2)
    with refused("params-invalid", "ingest.options"):
        ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "tree"), options=options)


def test_pairs_are_of_pictures(tmp_path: Path) -> None:
    with refused("pairs-not-supported", "ingest.pairs is of pictures"):
        pairs = {"by": "name", "folders": ["a", "b"]}
        ingested(tmp_path / "raw", source="volumes", path=str(tmp_path), pairs=pairs)


def test_a_folder_of_meshes_is_told_apart_from_one_of_pictures(tmp_path: Path) -> None:
    (tmp_path / "chair.obj").write_text("v 0 0 0\n")
    assert "set ingest.source to volumes" in advice_on(tmp_path, but="folder")


def test_what_a_volume_is_taken_for_goes_with_the_data(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(-1000, 3000, (4, 6, 6, 6), np.int16)
    np.save(tmp_path / "all.npy", values)
    options = {"empty": -1000.0, "occupied": 3000.0}
    ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "all.npy"), options=options)
    assert normalized(tmp_path, depth=6, height=6, width=6)["medium"] == {"name": "volumes", **options, "up": "y"}
    for key, one in found_in(tmp_path).items():
        assert np.allclose(one[0], (values[int(key[-6:])] + 1000) / 2000 - 1, atol=1e-6)


SHAPES = {f"{KINDS[number % 2]}/{number}.npy": npy(one) for number, one in enumerate(random_shapes(3, 3))}
ARCHIVES = [zipped(SHAPES, kind) for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]


@fuzzed
@given(content=damaged(st.sampled_from([*ARCHIVES, npy(random_shapes(3, 3))])))
def test_any_bytes_are_volumes_or_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "input").write_bytes(content)
    taken(tmp_path, "volumes")


@pytest.mark.parametrize("number", range(2 * len(SOLIDS)))
def test_a_solid_is_one_piece_inside_its_cells_and_the_same_each_time(number: int) -> None:
    solid = draw_solid(16, 0, number)
    assert np.array_equal(solid, draw_solid(16, 0, number))
    assert not np.array_equal(solid, draw_solid(16, 1, number))
    assert 0.01 < solid.mean() < 0.7
    assert largest_parts(torch.from_numpy(solid)[None, None].float()).item() == 1


def test_a_ball_has_the_volume_of_its_box_that_a_ball_has() -> None:
    ball, box = (draw_solid(64, 0, list(SOLIDS).index(kind)) for kind in ("ball", "box"))
    shares = [one.sum() / np.prod([np.ptp(axis) + 1 for axis in np.nonzero(one)]) for one in (ball, box)]
    assert shares[0] == pytest.approx(np.pi / 6, abs=0.03)
    assert shares[1] == 1


def test_solids_are_shared_out_by_class_and_equal_ones_stay_on_one_side(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", source="solids", path="unused", options={"volumes": 600, "side": 8})
    manifest = normalized(tmp_path, depth=8, height=8, width=8)
    assert all(20 <= count <= 28 for count in manifest["class_counts"]["holdout"].values())
    train, holdout = ({*map(bytes, Split(tmp_path / "normalized" / side).images())} for side in ("train", "holdout"))
    assert len(train | holdout) < 600, "some are equal"
    assert not train & holdout


def test_ingest_says_from_which_number_to_which_all_volumes_go_and_these_ends_serve(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(-1000, 3000, (6, 6, 6, 6)).astype(np.float32) / 7
    values[3, 0, 0, 0], values[5, 1, 2, 3] = -200.1, 500.7
    values[0] = values[0] > 0  # which says itself what it is
    (tmp_path / "in").mkdir()
    for number, one in enumerate(values):
        (tmp_path / f"in/{number}.npy").write_bytes(npy(one))
    (tmp_path / "in/broken.npy").write_bytes(npy(values[1])[:-9])

    def noted(place: str, **options: float) -> list[str]:
        source = open_source(ingest_params(source="volumes", path=str(tmp_path / place), options=options))
        for image in source.images:
            assert image.content if isinstance(image.content, bytes) else image.content()
        return source.notes

    (note,) = noted("in")
    assert note.startswith("the numbers of 5 volumes do not say what is empty: they go from -200.1")
    said = {name: float(number) for name, number in re.findall(r"(empty|occupied): ([-0-9.]+)", note)}
    assert noted("in", **said) == []
    (tmp_path / "in/broken.npy").unlink()
    ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "in"), options=said)
    assert normalized(tmp_path, height=6, depth=6, width=6, channels=1)["counts"]["read"] == 6
    np.save(tmp_path / "all.npy", values[1:])
    assert noted("all.npy") == [note], "of one array, too"


def test_densities_without_ends_are_mended_by_options_not_in_the_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number, one in enumerate(np.random.default_rng(1).integers(-1000, 3000, (10, 6, 6, 6), np.int16)):
        (tmp_path / f"in/{number}.npy").write_bytes(npy(one))
    asked = {"height": 6, "depth": 6, "width": 6, "channels": 1}
    ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "in"))
    with refused("images-broken", "set ingest.options.empty and occupied", "set what they ask for") as found:
        normalized(tmp_path, **asked)
    assert "mend or remove" not in str(found.value)
    ends = {"empty": -1000, "occupied": 3000}
    ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "in"), options=ends)
    assert normalized(tmp_path, **asked)["counts"]["read"] == 10
