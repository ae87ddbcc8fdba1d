"""The graph of a run as a picture, a box a stage, colored by its outcome. SVG: not every UI draws mermaid."""

from html import escape

import networkx

from flows.graph import Graph
from flows.stage import StageResult

COLORS = {
    "ran": "#58d68d",
    "from cache": "#85c1e9",
    "skipped": "#d5d8dc",
    "failed": "#ec7063",
    "not started": "#ffffff",
}
_WIDTH, _HEIGHT, _RIGHT, _DOWN = 96, 30, 130, 52
"""The size of a box, and the steps to the next column and row, in pixels."""


def drawing(graph: Graph, results: dict[str, StageResult]) -> str:
    """The picture as SVG. Columns are in the order in which stages can run; redundant arrows are left out."""
    edges = [(other, name) for name, stage in graph.items() for other in stage.upstream if other in graph]
    drawn: networkx.DiGraph[str] = networkx.DiGraph(edges)
    drawn.add_nodes_from(graph)
    columns = [sorted(column) for column in networkx.topological_generations(drawn)]
    tallest = max(map(len, columns), default=0)
    place = {
        name: (x * _RIGHT + 4, (y + (tallest - len(column)) / 2) * _DOWN + 4)
        for x, column in enumerate(columns)
        for y, name in enumerate(column)
    }
    arrows = [_arrow(place[one], place[other]) for one, other in networkx.transitive_reduction(drawn).edges]
    boxes = [_box(name, *place[name], COLORS[results[name].outcome]) for name in graph]
    size = f'width="{len(columns) * _RIGHT}" height="{tallest * _DOWN}"'
    background = '<rect width="100%" height="100%" fill="#fdfefe"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{background}{"".join(arrows + boxes)}</svg>'


def _box(name: str, x: float, y: float, color: str) -> str:
    shape = f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="5" fill="{color}" stroke="#566573"/>'
    middle = f'x="{x + _WIDTH / 2}" y="{y + _HEIGHT / 2 + 4}" text-anchor="middle" font-family="sans-serif"'
    return f'{shape}<text {middle} font-size="13" fill="#17202a">{escape(name)}</text>'


def _arrow(one: tuple[float, float], other: tuple[float, float]) -> str:
    x1, y1, x2, y2 = one[0] + _WIDTH, one[1] + _HEIGHT / 2, other[0], other[1] + _HEIGHT / 2
    bend = (x1 + x2) / 2
    path = f"M{x1},{y1} C{bend},{y1} {bend},{y2} {x2 - 6},{y2}"
    head = f"M{x2},{y2} l-7,-4 v8 z"
    return f'<path d="{path}" fill="none" stroke="#566573"/><path d="{head}" fill="#566573"/>'
