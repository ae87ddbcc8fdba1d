"""How files end that are samples of a medium, where they are no pictures; told without what reads them."""

SOUNDS = (".wav", ".wave", ".flac", ".ogg", ".oga", ".mp3")
SCORES = (".mid", ".midi", ".musicxml", ".mxl", ".xml")
MESHES = (".obj", ".stl", ".ply", ".off")
SCANS = (".nii", ".nii.gz")
SLICES = (".dcm", ".dicom", ".ima")
"""Of DICOM, of which many files have no ending, or end in a number."""
TEXTS = (".txt", ".text")
