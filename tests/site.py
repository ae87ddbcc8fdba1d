"""A package of docs/extending.md where pip would have installed it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/extending.md").read_text()


def install(folder: Path) -> Path:
    """Its modules and its entry points, in a folder for PYTHONPATH."""
    toml = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0]
    groups = re.findall(r'\[project.entry-points."([\w.]+)"\]\n(\w+) = "([\w:]+)"', toml)
    about = folder / "tiny-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("".join(f"[{group}]\n{name} = {place}\n" for group, name, place in groups))
    for name, code in re.findall(r'```python\n"""(\w+)[.]py"""\n(.*?)```', PAGE, re.DOTALL):
        (folder / f"{name}.py").write_text(code)
    return folder
