"""Scans in NIfTI as volumes: which way they stand, how large their voxels are, and what is wrong with them."""

import gzip
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.params import Normalize, load_params
from stages.media import scans
from stages.media.medium import UnusableError
from stages.media.volumes import Volumes
from stages.sources.kinds import advice_on
from tests.refusals import refused
from tests.stages.source_files import ingested, normalized
from tests.stages.test_source_fuzz import damaged, fuzzed
from tests.stages.tiny_data import ROOT

needs_nibabel = pytest.mark.skipif(find_spec("nibabel") is None, reason="nibabel is not installed")
MOST = 10**5


def nifti(values: Any, affine: Any = None, kind: str = "Nifti1Image") -> bytes:
    """A file of values `[x,y,z]`; by default x goes to the right, y to the front and z up."""
    content: bytes = getattr(import_module("nibabel"), kind)(values, np.eye(4) if affine is None else affine).to_bytes()
    return content


def decoded(content: bytes, size: tuple[int, int, int], **changes: Any) -> Any:
    """`[H,D,W]`, True where it is occupied."""
    to: Normalize = load_params(ROOT / "params.yaml").normalize
    named = dict(zip(("height", "depth", "width"), size, strict=True)) | {"channels": 1, "upscale": "allow"}
    medium = Volumes(changes.pop("empty", None), changes.pop("occupied", None))
    return medium.decode(content, to.model_copy(update=named | changes), MOST).values[0] > 0


def body() -> Any:
    """Cells `[x,y,z]` that are alike in no two directions."""
    return np.random.default_rng(0).random((4, 5, 6)) < 0.5


@needs_nibabel
@pytest.mark.parametrize("kind", ["Nifti1Image", "Nifti2Image"])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flipped", [(), (0,), (1, 2)])
def test_a_scan_stands_upright_however_it_was_stored(
    kind: str, order: tuple[int, ...], flipped: tuple[int, ...]
) -> None:
    upright = body()
    stored, affine = np.flip(upright, flipped), np.eye(4)
    for axis in flipped:
        affine[axis, axis], affine[axis, 3] = -1, upright.shape[axis] - 1
    content = nifti(stored.transpose(order).astype(np.uint8), affine[:, [*order, 3]], kind)
    expected = upright.transpose(2, 1, 0)  # up, front, right
    assert np.array_equal(decoded(content, (6, 5, 4)), expected)
    assert np.array_equal(decoded(gzip.compress(content), (6, 5, 4)), expected)


@needs_nibabel
def test_thick_slices_keep_the_proportions_of_the_body() -> None:
    ball = np.zeros((16, 16, 4), np.uint8)
    ball[4:12, 4:12, 1:3] = 1  # 8 mm each way, in slices of 4 mm
    boxed = decoded(nifti(ball, np.diag([1, 1, 4, 1])), (16, 16, 16), fit="letterbox")
    assert [int(np.ptp(np.flatnonzero(boxed.any(axes)))) + 1 for axes in ((1, 2), (0, 2), (0, 1))] == [8, 8, 8]


@needs_nibabel
def test_densities_need_to_be_told_what_is_empty_and_are_scaled_as_the_file_says() -> None:
    values = np.full((4, 4, 4), -1000, np.int16)
    values[1:3] = 1000
    with pytest.raises(UnusableError, match=r"ingest\.options\.empty"):
        decoded(nifti(values), (4, 4, 4))
    with pytest.raises(UnusableError, match="from -1000 to 1000, outside -1000 to 900"):
        decoded(nifti(values), (4, 4, 4), empty=-1000, occupied=900)
    assert decoded(nifti(values), (4, 4, 4), empty=-1000, occupied=1000).sum() == 32
    scaled = import_module("nibabel").Nifti1Image(values.astype(np.float32) / 1000, np.eye(4))
    scaled.set_data_dtype(np.int16)
    assert decoded(scaled.to_bytes(), (4, 4, 4), empty=-1.001, occupied=1.001).sum() == 32


@needs_nibabel
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (lambda: nifti(np.zeros((4, 4, 4, 3), np.uint8)), "no times or directions"),
        (lambda: nifti(np.zeros((4, 4), np.uint8)), "a volume has three"),
        (lambda: nifti(np.zeros((60, 60, 60), np.uint8)), r"over ingest\.max_pixels"),
        (lambda: nifti(np.full((4, 4, 4), np.nan, np.float32)), "not finite"),
        (lambda: nifti(np.ones((9, 9, 9), np.uint8))[:400], "cannot be read as NIfTI"),
        (lambda: gzip.compress(b"no scan"), "packed by gzip, and no NIfTI file"),
        (lambda: gzip.compress(nifti(np.ones((9, 9, 9), np.uint8)))[:60], "no whole gzip file"),
        (lambda: gzip.compress(b"\x5c\x01\x00\x00" + bytes(10**8)), "unpacks to more"),
    ],
)
def test_a_broken_scan_is_one_sentence(content: Any, why: str) -> None:
    with pytest.raises(UnusableError, match=why):
        decoded(content(), (4, 4, 4))


@needs_nibabel
@pytest.mark.parametrize("packed", [False, True])
def test_any_bytes_are_a_scan_or_one_sentence(packed: bool) -> None:
    right = nifti(body().astype(np.uint8))

    @fuzzed
    @given(content=damaged(st.just(gzip.compress(right, mtime=0) if packed else right)))
    def check(content: bytes) -> None:
        try:
            assert scans.is_scan(content)
            values, spacing = scans.scan_in(content, MOST)
        except (UnusableError, AssertionError):
            return
        assert values.ndim == 3
        assert min(spacing) > 0

    check()


@needs_nibabel
def test_a_folder_of_scans_goes_through_ingest_and_normalize(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    cells = np.random.default_rng(1).random((10, 8, 8, 8)) < 0.5
    for number, one in enumerate(cells):
        (tmp_path / f"in/{number}.nii.gz").write_bytes(gzip.compress(nifti(one.astype(np.uint8))))
    assert advice_on(tmp_path / "in", "folder") == "source 'volumes' reads what is there: set ingest.source to volumes"
    ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "in"))
    manifest = normalized(tmp_path, height=8, depth=8, width=8, channels=1)
    assert manifest["counts"]["read"] == 10


def test_without_nibabel_one_reads_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.common.readers.find_spec", lambda name: None)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.nii").write_bytes(b"\x5c\x01\x00\x00")
    with refused("scans-need-nibabel", "requirements/scans.txt"):
        ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "in"))
