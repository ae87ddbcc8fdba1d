"""Packages that read files of some kinds, and are no part of the usual install."""

from importlib.util import find_spec
from typing import NamedTuple

from stages.common.errors import UserError


class Reader(NamedTuple):
    code: str
    """Of the error where it is missing."""
    files: str
    """What it reads, with a verb."""
    requirements: str
    """The file of requirements/ that has it."""


READERS = {
    "av": Reader("films-need-av", "films (MP4, MOV, WebM, MKV, AVI) are", "films"),
    "c2pa": Reader("manifests-need-c2pa", "C2PA manifests are", "signing"),
    "mido": Reader("rolls-need-mido", "MIDI files are", "music"),
    "nibabel": Reader("scans-need-nibabel", "scans are", "scans"),
    "pydicom": Reader("scans-need-pydicom", "DICOM is", "scans"),
    "soundfile": Reader("sounds-need-soundfile", "FLAC, OGG, MP3 and WAV of fractions are", "sounds"),
    "trimesh": Reader("meshes-need-trimesh", "meshes are", "meshes"),
}
"""By package."""


def require_reader(*packages: str) -> None:
    """Raise UserError on the first of these packages that is not installed."""
    for package in packages:
        if find_spec(package) is None:
            raise missing_reader(package)


def missing_reader(package: str) -> UserError:
    reader = READERS[package]
    return UserError(
        reader.code,
        f"{reader.files} read by {package}, which is not installed: run `pip install -c requirements/constraints.txt "
        f"-r requirements/{reader.requirements}.txt`",
    )
