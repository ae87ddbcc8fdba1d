"""docs/notebook.ipynb: `python -m tests.notebook` runs it and keeps what its cells print and show."""

import ast
import base64
import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[1] / "docs/notebook.ipynb"
Cell = dict[str, Any]


def run(notebook: Cell) -> list[Cell]:
    """The outputs of the code cells, which share their names, in order. What a cell raises is raised."""
    names: dict[str, Any] = {"__name__": "__main__"}
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(code, 1):
        cell |= {"execution_count": number, "outputs": _outputs("".join(cell["source"]), names, number)}
    return code


def _outputs(source: str, names: dict[str, Any], number: int) -> list[Cell]:
    """What Jupyter keeps: what was printed, then the value of the last expression."""
    *body, last = ast.parse(source).body
    rest = ast.Module([*body, *([] if isinstance(last, ast.Expr) else [last])], [])
    printed, value = io.StringIO(), None
    with redirect_stdout(printed):
        exec(compile(rest, f"cell {number}", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
    outputs: list[Cell] = []
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)})
    if value is not None:
        outputs.append(
            {"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": _output_cell(value)}
        )
    return outputs


def _output_cell(value: Any) -> Cell:
    picture = getattr(value, "_repr_png_", None)
    if picture is None:
        return {"text/plain": repr(value).splitlines(keepends=True)}
    return {"image/png": base64.b64encode(picture()).decode(), "text/plain": ["a picture"]}


if __name__ == "__main__":
    found = json.loads(PATH.read_text())
    run(found)
    PATH.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
