"""Endings of sample files that are no pictures; without importing what reads them."""

SOUNDS = (".wav", ".wave", ".flac", ".ogg", ".oga", ".mp3")
SCORES = (".mid", ".midi", ".musicxml", ".mxl", ".xml")
MESHES = (".obj", ".stl", ".ply", ".off")
SCANS = (".nii", ".nii.gz")
SLICES = (".dcm", ".dicom", ".ima")
"""Endings of DICOM; many of its files have no ending, or end in a number."""
TEXTS = (".txt", ".text")
