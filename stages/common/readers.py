"""Packages that read files of some kinds, and are no part of the usual install."""

from importlib.util import find_spec

from stages.common.errors import UserError

READERS = {
    "av": ("films-need-av", "films (MP4, MOV, WebM, MKV, AVI) are", "films"),
    "mido": ("rolls-need-mido", "MIDI files are", "music"),
    "nibabel": ("scans-need-nibabel", "scans are", "scans"),
    "pydicom": ("scans-need-pydicom", "DICOM is", "scans"),
    "soundfile": ("sounds-need-soundfile", "FLAC, OGG, MP3 and WAV of fractions are", "sounds"),
    "trimesh": ("meshes-need-trimesh", "meshes are", "meshes"),
}
"""By package: the error's code, the files that it reads, and the file of requirements/ that has it."""


def require_reader(*packages: str) -> None:
    """Raise UserError on the first of these packages that is not installed."""
    for package in packages:
        if find_spec(package) is None:
            raise missing_reader(package)


def missing_reader(package: str) -> UserError:
    code, files, requirements = READERS[package]
    return UserError(
        code,
        f"{files} read by {package}, which is not installed: run `pip install -c requirements/constraints.txt -r "
        f"requirements/{requirements}.txt`",
    )
