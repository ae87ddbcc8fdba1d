"""Slices of DICOM as volumes: the same as in NIfTI, one volume a series, and what is wrong with one."""

import io
import random
import shutil
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.split import Split
from stages.media import slices
from stages.media.medium import UnusableError
from stages.sources import open_source
from stages.sources.kinds import advice_on
from tests.refusals import refused
from tests.stages.source_files import ingest_params, ingested, normalized, zipped
from tests.stages.test_scans import body, decoded, nifti
from tests.stages.test_source_fuzz import damaged, fuzzed, taken

pytestmark = pytest.mark.skipif(
    find_spec("pydicom") is None or find_spec("nibabel") is None, reason="pydicom or nibabel is not installed"
)
MOST = 10**5
UPRIGHT = np.eye(4)
_EXPLICIT, _DEFLATED, _JPEG_LS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.80"


def slice_file(pixels: Any, corner: Any, along: Any, **changes: Any) -> bytes:
    """A file of pixels `[rows, columns]`, at a corner in DICOM's axes; `changes` to what it says, None takes it out."""
    pydicom = import_module("pydicom")
    said = pydicom.Dataset()
    syntax = changes.pop("syntax", _EXPLICIT)
    named = {
        "PatientName": "Doe^Jane", "PatientID": "J-4711", "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4",
        "Rows": pixels.shape[0], "Columns": pixels.shape[1], "SamplesPerPixel": 1, "BitsAllocated": 16,
        "PhotometricInterpretation": "MONOCHROME2", "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1,
        "PixelSpacing": [1, 1], "ImageOrientationPatient": [*np.ravel(along)], "ImagePositionPatient": [*corner],
        "RescaleSlope": 1, "RescaleIntercept": 0,
    }  # fmt: skip
    for name, value in (named | changes).items():
        if value is not None:
            setattr(said, name, value)
    bits = said.BitsAllocated
    said.PixelData = pixels.astype({8: np.uint8, 16: np.int16}[bits]).tobytes()
    if syntax == _JPEG_LS:
        said.PixelData = pydicom.encaps.encapsulate([said.PixelData])
    said["PixelData"].VR = "OW"
    said.file_meta = pydicom.dataset.FileMetaDataset()
    said.file_meta.TransferSyntaxUID = syntax
    said.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    said.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    file = io.BytesIO()
    said.save_as(file, enforce_file_format=True)
    return file.getvalue()


def series(values: Any, affine: Any = UPRIGHT, **changes: Any) -> list[bytes]:
    """Slices of values `[column, row, slice]`, where the affine leads to the patient's right, front and head."""
    ours = np.diag([-1, -1, 1, 1]) @ np.asarray(affine, np.float64)
    across, down = ours[:3, 0], ours[:3, 1]
    sizes = np.linalg.norm(across), np.linalg.norm(down)
    spacing = [f"{sizes[1]:.10g}", f"{sizes[0]:.10g}"]
    along = [[f"{one:.12f}" for one in side / size] for side, size in zip((across, down), sizes, strict=True)]
    corners = [ours @ [0, 0, number, 1] for number in range(values.shape[2])]
    return [
        slice_file(values[:, :, number].T, [f"{one:.9g}" for one in corner[:3]], along,
                   **{"PixelSpacing": spacing} | changes)
        for number, corner in enumerate(corners)
    ]  # fmt: skip


def shuffled(files: list[bytes]) -> list[bytes]:
    return random.Random(0).sample(files, len(files))


def turned(degrees: float) -> Any:
    """An affine whose axes lie oblique, with voxels of three sizes."""
    angle = np.deg2rad(degrees)
    about = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    also = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = about @ also @ np.diag([1.0, 1.5, 2.5])
    affine[:3, 3] = [-30, 12.5, 7]
    return affine


@pytest.mark.parametrize("degrees", [0, 20, 35, -25])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flipped", [(), (0,), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("fit", ["resize", "letterbox"])
def test_slices_make_the_same_volume_as_nifti(
    degrees: float, order: tuple[int, ...], flipped: tuple[int, ...], fit: str
) -> None:
    affine = turned(degrees)[:, [*order, 3]]
    for axis in flipped:
        affine[:, axis] *= -1
    values = body().transpose(order).astype(np.int16)
    expected = decoded(nifti(values, affine), (16, 16, 16), fit=fit)
    assert expected.any()
    assert np.array_equal(decoded(slices.packed(shuffled(series(values, affine))), (16, 16, 16), fit=fit), expected)


def test_slices_stand_upright() -> None:
    upright = body()
    content = slices.packed(shuffled(series(upright.astype(np.int16))))
    assert np.array_equal(decoded(content, (6, 5, 4)), upright.transpose(2, 1, 0))  # up, front, right


def test_each_slice_is_scaled_as_it_says() -> None:
    values = np.full((4, 4, 4), 24, np.int16)
    values[1:3] = 1524
    scale: dict[str, Any] = {"RescaleSlope": 2, "RescaleIntercept": -1048}
    half: dict[str, Any] = {"RescaleSlope": 1, "RescaleIntercept": -1024}
    with pytest.raises(UnusableError, match=r"from -1000 to 2000: set ingest\.options\.empty"):
        decoded(slices.packed(series(values, **scale)), (4, 4, 4))
    found = decoded(slices.packed(series(values, **scale)), (4, 4, 4), empty=-1000, occupied=2000)
    assert found.sum() == 32
    other = np.where(values == 24, 24, 3024).astype(np.int16)
    mixed = [*series(values, **scale)[:2], *series(other, **half)[2:]]
    assert np.array_equal(decoded(slices.packed(mixed), (4, 4, 4), empty=-1000, occupied=2000), found)


def test_slices_of_8_bits_are_levels_and_those_packed_by_rle_are_unpacked() -> None:
    values = (body() * 255).astype(np.uint8)
    eight: dict[str, Any] = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    files = series(values, **eight)
    expected = decoded(slices.packed(files), (6, 5, 4))
    assert np.array_equal(expected, body().transpose(2, 1, 0))
    pydicom, rle = import_module("pydicom"), []
    for one in files:
        said, file = pydicom.dcmread(io.BytesIO(one)), io.BytesIO()
        said.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
        said.save_as(file)
        rle.append(file.getvalue())
    assert np.array_equal(decoded(slices.packed(rle), (6, 5, 4)), expected)


def right() -> list[bytes]:
    return series(body().astype(np.int16), np.diag([1, 1, 2.5, 1]))


def tilted() -> list[bytes]:
    affine = np.eye(4)
    affine[1, 2] = 0.6
    return series(body().astype(np.int16), affine)


def without(name: str) -> list[bytes]:
    return series(body().astype(np.int16), **{name: None})


WRONG: list[tuple[Callable[[], list[bytes]], str]] = [
    (lambda: right()[:1], "a lone slice"),
    (lambda: [*right()[:3], *right()[4:]], r"2\.5 mm apart, but elsewhere 2\.5 to 5 mm, the most behind 5 mm: add"),
    (lambda: [*right(), right()[2]], r"two of its slices lie at one place \(5 mm along\)"),
    (lambda: [*right(), *series(np.zeros((4, 4, 9)), np.diag([1, 1, 2.5, 1]))[6:]], "two sizes, such as 5 x 4 and 4 x"),
    (lambda: [*right(), *series(np.zeros((4, 5, 9)), np.diag([2, 2, 2.5, 1]))[6:]], "the pixels of its slices are of"),
    (lambda: [*right(), *series(np.zeros((4, 5, 9)), np.diag([-1, 1, 2.5, 1]))[6:]], "in two directions, as where a"),
    (tilted, "a tilted gantry: make NIfTI"),
    (lambda: without("ImagePositionPatient"), "no ImagePositionPatient"),
    (lambda: without("ImageOrientationPatient"), "no ImageOrientationPatient"),
    (lambda: without("PixelSpacing"), "no PixelSpacing"),
    (lambda: series(body(), ImagePositionPatient=[0, 0]), "no place, directions or pixels"),
    (lambda: series(body(), ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "no place, directions or pixels"),
    (lambda: series(body(), PixelSpacing=[0, 1]), "0 x 1 mm large"),
    (lambda: series(body(), NumberOfFrames=7), "a file of 7 frames: make NIfTI"),
    (lambda: series(body(), SamplesPerPixel=3, PhotometricInterpretation="RGB"), "in color"),
    (lambda: series(body(), PhotometricInterpretation="PALETTE COLOR"), "in color"),
    (lambda: series(body(), syntax=_DEFLATED), "deflated as a whole"),
    (lambda: series(body(), Rows=30), r"cannot be decoded .*: unpack them"),
    (lambda: series(body(), syntax=_JPEG_LS), r"cannot be decoded \(JPEG-LS.*install pylibjpeg"),
    (lambda: series(np.zeros((4, 4, 2)), Rows=60_000, Columns=60_000), r"60000 x 60000 pixels"),
    (lambda: series(np.zeros((60, 60, 60))), r"over ingest\.max_pixels"),
    (lambda: [*right()[:5], right()[5][:200]], "one of its files cannot be read as DICOM"),
    (lambda: [*right()[:5], right()[5][:-9]], "cannot be decoded"),
    (lambda: [*right()[:5], b"GIF89a"], "one of its files cannot be read as DICOM"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "why"), WRONG, ids=[why for _, why in WRONG])
def test_slices_that_make_no_volume_are_one_sentence(files: Callable[[], list[bytes]], why: str) -> None:
    with pytest.raises(UnusableError, match=why) as found:
        decoded(slices.packed(files()), (6, 5, 4))
    assert "\n" not in str(found.value)


def test_what_is_kept_of_a_slice_names_no_patient() -> None:
    files = right()
    assert all(b"Doe^Jane" in one and b"J-4711" in one for one in files)
    kept = slices.packed(files)
    assert not [words for words in (b"Doe", b"4711", b"1.2.3.4", b"1.2.3") if words in kept]
    assert not [size for size in range(0, len(files[0]), 7) if b"Doe" in slices.packed([files[0][:size]])]


@pytest.mark.parametrize("packed", [False, True])
def test_any_bytes_are_a_series_or_one_sentence(packed: bool) -> None:
    files = right()

    @fuzzed
    @given(content=damaged(st.just(slices.packed(files))) if packed else damaged(st.just(files[0])))
    def check(content: bytes) -> None:
        whole = content if packed else slices.packed([*files[1:], content])
        try:
            assert slices.is_series(whole)
            values, spacing = slices.series_in(whole, MOST)
        except (UnusableError, AssertionError):
            return
        assert values.ndim == 3
        assert min(spacing) > 0

    check()


@fuzzed
@given(content=damaged(st.just(right()[0] if find_spec("pydicom") else b"")))
def test_a_folder_with_any_bytes_among_its_slices_is_read_or_one_sentence(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "input"
    for number, one in enumerate([*right(), content]):
        for patient in ("a", "b"):
            (folder / patient).mkdir(parents=True, exist_ok=True)
            named = one if number == 6 else one.replace(b"J-4711", f"J-{patient}711".encode())
            (folder / patient / f"{number}.dcm").write_bytes(
                named.replace(b"1.2.3.4\0", f"1.2.3.{ord(patient) % 10}\0".encode())
            )
    taken(tmp_path, "volumes")


def write_patients(root: Path, ending: str = ".dcm") -> dict[str, Any]:
    """Ten patients in two classes, one of them with two series: the cells `[x,y,z]` of each volume by its key."""
    cells, written = np.random.default_rng(1).random((11, 8, 8, 8)) < 0.5, {}
    for number, one in enumerate(cells):
        patient = min(number, 9)
        folder, name = root / ("sick", "well")[patient % 2] / f"p{patient}", f"IM{number:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        said = {"PatientID": f"id{patient}", "StudyInstanceUID": f"1.2.{patient}", "SeriesInstanceUID": f"1.3.{number}"}
        for place, content in enumerate(series(one.astype(np.int16), **said)):
            (folder / f"{name}{place:03d}{ending}").write_bytes(content)
        key = f"well/p9-{number - 8}" if patient == 9 else f"{('sick', 'well')[patient % 2]}/p{patient}"
        written[f"{key}.dcm"] = one
    return written


@pytest.mark.parametrize(("ending", "packed"), [(".dcm", False), ("", False), (".IMA", True)])
def test_a_patient_is_a_volume_of_its_class_and_all_of_one_stay_on_one_side(
    tmp_path: Path, ending: str, packed: bool
) -> None:
    written = write_patients(tmp_path / "in", ending)
    path = tmp_path / "in"
    if packed:
        path = Path(shutil.make_archive(str(tmp_path / "all"), "zip", path))
    elif ending:
        assert "set ingest.source to volumes" in advice_on(path, "folder")
    table = ingested(tmp_path / "raw", source="volumes", path=str(path))
    assert sorted(table["key"].to_pylist()) == sorted(written)
    assert "id3" not in str(table.drop_columns("image").to_pylist())
    manifest = normalized(tmp_path, height=8, depth=8, width=8, channels=1)
    assert (manifest["classes"], manifest["counts"]["read"]) == (["sick", "well"], 11)
    sides = [Split(tmp_path / "normalized" / side) for side in ("train", "holdout")]
    patients = [{key.partition("-")[0].removesuffix(".dcm") for key in side.keys} for side in sides]
    assert not patients[0] & patients[1]
    for side in sides:
        for key, image in zip(side.keys, side.images(), strict=True):
            assert np.array_equal(image[0] > 0, written[key].transpose(2, 1, 0))


def opened(path: Path) -> Any:
    return open_source(ingest_params(source="volumes", path=str(path)))


def test_how_slices_were_joined_is_said_and_what_is_no_picture_is_left_out(tmp_path: Path) -> None:
    write_patients(tmp_path / "in")
    report = slice_file(np.zeros((2, 2)), [0, 0, 0], np.eye(3)[:2], Rows=None, SeriesInstanceUID="9")
    (tmp_path / "in/DICOMDIR").write_bytes(report)
    (tmp_path / "in/sick/p0/report.dcm").write_bytes(report)
    (tmp_path / "in/notes").write_text("of a study")
    source = opened(tmp_path / "in")
    assert "joined 88 slices of DICOM to 11 series of 10 patients" in source.layout
    assert len([*source.images]) == source.count == 11
    said = "; ".join(source.notes)
    assert "skipped 2 files whose extension is not that of a volume, such as" in said
    assert "skipped 1 file without a volume in it, such as" in said


def test_slices_of_several_patients_in_a_folder_are_volumes_in_it_and_those_of_one_need_no_group(
    tmp_path: Path,
) -> None:
    (tmp_path / "mixed/all").mkdir(parents=True)
    for patient in ("x", "y"):
        (tmp_path / "one" / patient).mkdir(parents=True)
        for number, content in enumerate(series(body().astype(np.int16), SeriesInstanceUID=f"1.{ord(patient)}")):
            (tmp_path / "one" / patient / str(number)).write_bytes(content)
            other = content.replace(b"J-4711", f"J-{patient}711".encode())
            (tmp_path / "mixed/all" / f"{patient}{number}").write_bytes(other)
    mixed = opened(tmp_path / "mixed")
    assert [image.key for image in mixed.images] == ["all/series-1.dcm", "all/series-2.dcm"]
    assert mixed.grouped
    assert not opened(tmp_path / "one").grouped


def test_a_series_in_two_folders_and_slices_in_a_tar_are_one_sentence(tmp_path: Path) -> None:
    write_patients(tmp_path / "in")
    tar = shutil.make_archive(str(tmp_path / "all"), "tar", tmp_path / "in")
    with refused("tar-in-one-go", "slices of DICOM, use a zip or a folder"):
        ingested(tmp_path / "raw", source="volumes", path=tar)
    shutil.copytree(tmp_path / "in/sick/p0", tmp_path / "in/well/p0")
    with refused("series-in-two-folders", "sick/p0 and well/p0: put all of them into one"):
        ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "in"))


def test_a_broken_patient_is_named_with_the_reason_and_the_others_are_taken(tmp_path: Path) -> None:
    write_patients(tmp_path / "in")
    (tmp_path / "in/sick/p2/IM02004.dcm").unlink()
    (tmp_path / "in/well/p1/IM01007.dcm").write_bytes(b"no slice")
    ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "in"))
    manifest = normalized(tmp_path, height=4, depth=4, width=4, channels=1, max_broken=0.5)
    broken = {one["key"]: one["reason"] for one in manifest["broken"]}
    assert [*broken] == ["sick/p2.dcm", "well/p1-IM01007.dcm"]
    assert "add those that are missing" in broken["sick/p2.dcm"]
    assert "cannot be read as DICOM" in broken["well/p1-IM01007.dcm"]


def test_without_pydicom_one_reads_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_patients(tmp_path / "in")
    monkeypatch.setattr("stages.common.readers.find_spec", lambda name: None if name == "pydicom" else name)
    with refused("scans-need-pydicom", "requirements/scans.txt"):
        ingested(tmp_path / "raw", source="volumes", path=str(tmp_path / "in"))


def test_a_zip_that_ingest_did_not_pack_is_one_sentence() -> None:
    with pytest.raises(UnusableError, match="no series of slices as ingest packs them"):
        slices.series_in(zipped({"00000.dcm": bytes(10**6)}), MOST)
