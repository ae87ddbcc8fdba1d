"""How files end that are samples of a medium, where they are no pictures; told without what reads them."""

SOUNDS = (".wav", ".wave", ".flac", ".ogg", ".oga", ".mp3")
SCORES = (".mid", ".midi")
MESHES = (".obj", ".stl", ".ply", ".off")
SCANS = (".nii", ".nii.gz")
TEXTS = (".txt", ".text")
