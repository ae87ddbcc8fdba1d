"""The pages as HTML, from entries and contents; each holds its own script, and none loads anything from elsewhere."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from mintage.metrics import number, percent
from stages.common.loading import loading
from stages.common.templates import environment, script_hash
from stages.examples import Example
from stages.gallery.entry import Entry, Figure
from stages.gallery.reading import Contents, cut
from stages.gallery.runtime import SCRIPT
from stages.media.medium import Words
from stages.releases.channels import Channel
from stages.reporting import words
from stages.reporting.curves import Chart, losses_chart, quality_charts
from stages.reporting.measures import baselines, of_real, shown_metrics, titled
from stages.reporting.selection import Selection
from stages.selection.metrics import METRICS
from stages.selection.quality import LEVELS

TEMPLATES = Path(__file__).parent / "templates"
_STATIC = Path(__file__).parent / "static"
_REPORT = TEMPLATES.parents[1] / "reporting" / "templates"
EXPLORER = "explorer.js"
"""Beside a release's page: its generators, as a script."""
EXPLORERS = "explorer/explorer.js"
"""The code that all explorers share."""
_PARTS = (
    "latents",
    "pictures",
    "waves",
    "recordings",
    "engine",
    "controls",
    "view",
    "noise",
    "drawing",
    "translator",
    "lengths",
    "clips",
    "rows",
    "quiz",
    "start",
)
"""Parts of that code, in the order in which they use each other."""
_ON_A_CARD = 3
"""How many figures stand beside a picture."""


def style() -> str:
    """The style sheet: the report's, with the gallery's additions."""
    return (_REPORT / "report.css").read_text() + (TEMPLATES / "gallery.css").read_text()


def explorers_script() -> str:
    """The explorer's code: plain scripts one after the other, since a page on a disk may not load modules."""
    return "\n".join((_STATIC / f"{part}.js").read_text() for part in _PARTS)


def index_page(title: str, entries: Sequence[Entry], channels: Sequence[Channel], left_out: Sequence[str]) -> str:
    """All releases, the newest first, with filters that work in the page itself."""
    return _page(
        "index.html.j2",
        script="gallery.js",
        title=title,
        root="",
        entries=entries,
        channels=channels,
        left_out=[cut(one) for one in left_out],
        families=_counted(entry.family for entry in entries),
        datasets=_counted(entry.data for entry in entries),
        levels=[(level, LEVELS[level], count) for level, count in _counted(entry.level for entry in entries)],
        metrics=[(name, titled(METRICS[name])) for name in METRICS if _measured(name, entries)],
        higher=[name for name, metric in METRICS.items() if metric.direction == "max"],
        shown=_ON_A_CARD,
        has_examples=any(entry.example for entry in entries),
    )


def release_page(title: str, entry: Entry, contents: Contents, example: Example | None, url: str) -> str:
    """One release: picture, verdict, figures beside what real images reach, curves, loading, card, provenance."""
    selection, train = contents.selection, contents.train
    return _page(
        "release.html.j2",
        title=title,
        root="../../",
        entry=entry,
        example=example,
        contents=contents,
        again=contents.again,
        plots=contents.medium.plots,
        words=contents.words,
        selection=selection,
        train=train,
        rows=[(METRICS[one.metric], one, baselines(one.metric, selection)) for one in entry.figures],
        charts=_charts(contents),
        loading=loading(contents.config, f"{url}/releases/{entry.release}", contents.medium.between),
        size=sum(file.size for file in contents.files),
        unclean=[cut(one.stage) for one in contents.made if one.git.clean is False],
        explorer=contents.explorer if entry.explored else None,
        unexplored=contents.explorer if isinstance(contents.explorer, str) else "",
        shared=EXPLORERS,
        runtime=SCRIPT,
        own=EXPLORER,
    )


def channel_page(title: str, channel: Channel, entries: dict[str, Entry]) -> str:
    """The steps of a channel, the newest first, each with figures compared with those of the step before."""
    steps = [
        {
            "release": str(step["release"]),
            "entry": entries.get(str(step["release"])),
            "action": cut(str(step["action"])),
            "at": cut(str(step.get("at") or "earlier")),
            "by": cut(str(step.get("by") or "")),
            "before": None if before is None else entries.get(str(before["release"])),
        }
        for step, before in zip(channel.history, (None, *channel.history), strict=False)
    ]
    return _page("channel.html.j2", title=title, root="../", channel=channel, steps=steps[::-1])


def compare_page(title: str, entries: Sequence[Entry]) -> str:
    """Two releases side by side; the page holds the figures and params of all releases, so it needs no server."""
    usual = usual_params(entries)
    facts = {
        entry.release: {
            "title": entry.title,
            "day": entry.day,
            "level": LEVELS[entry.level],
            "verdict": entry.verdict,
            "size": [entry.width, entry.height],
            "figures": {one.metric: [one.value, one.floor, one.number, one.title] for one in entry.figures},
            "params": {
                name: entry.params.get(name)
                for name in sorted(usual.keys() | entry.params.keys())
                if entry.params.get(name) != usual.get(name)
            },
        }
        for entry in entries
    }
    metrics = {name: [titled(one), one.direction] for name, one in METRICS.items() if _measured(name, entries)}
    data = {"usual": usual, "metrics": metrics, "releases": facts}
    return _page("compare.html.j2", script="compare.js", title=title, root="", data=_as_data(data), entries=entries)


def museum_page(title: str, examples: Sequence[Example], shown: dict[str, Entry]) -> str:
    """The examples in the order of the lectures, each with the release that it published last."""
    return _page("museum.html.j2", title=title, root="", examples=examples, shown=shown)


def figures_of(selection: Selection, called: Words) -> list[Figure]:
    return [
        Figure(
            metric=name,
            title=called.said(titled(metric)),
            value=metric.text(value),
            floor=of_real(metric, selection),
            number=value,
            floor_number=floor,
            error=None if (error := selection.value(metric.error)) is None else number(error, 2, counted=False),
            samples=selection.samples,
            higher=metric.direction == "max",
        )
        for name, metric in shown_metrics(selection).items()
        if (value := selection.value(name)) is not None and (floor := selection.value(metric.floor)) is not None
    ]


def usual_params(entries: Sequence[Entry]) -> dict[str, str]:
    """The most common value of each param, so that a release needs to list only what differs."""
    values: dict[str, Counter[str]] = {}
    for entry in entries:
        for name, value in entry.params.items():
            values.setdefault(name, Counter())[value] += 1
    return {name: counted.most_common(1)[0][0] for name, counted in sorted(values.items())}


def formula(source: str) -> Markup:
    """A formula as HTML: Unicode, with subscripts from `_x` and `_{...}`, superscripts from `^x` and `^{...}`."""
    indexed = re.sub(r"_(?:\{([^}]*)\}|(\w))", r"<sub>\1\2</sub>", str(escape(source)))
    return Markup(re.sub(r"\^(?:\{([^}]*)\}|(\w))", r"<sup>\1\2</sup>", indexed))


def channel_file(name: str) -> str:
    """The name of a channel's page; no channel has `~` in its name."""
    return f"{name.replace('/', '~')}.html"


def _charts(contents: Contents) -> list[Chart]:
    """Two charts, the metric of the selection and the losses: each takes half of the time that a page takes."""
    quality = quality_charts(contents.selection, contents.checkpoints, most=1) if contents.checkpoints else []
    return [*quality, *([losses_chart(contents.curves)] if contents.curves else [])]


def _measured(name: str, entries: Sequence[Entry]) -> bool:
    return any(figure.metric == name for entry in entries for figure in entry.figures)


def _counted(names: Any) -> list[tuple[str, int]]:
    return sorted(Counter(names).items())


def _as_data(value: Any) -> Markup:
    """JSON for a script element: characters that could close the element are escaped."""
    encoded = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return Markup(encoded.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@cache
def _templates() -> Environment:
    templates = environment(TEMPLATES, _REPORT)
    templates.filters |= {
        "number": number,
        "percent": percent,
        "count": words.count,
        "size": words.size,
        "duration": words.duration,
        "formula": formula,
        "channel_file": channel_file,
        "cut": lambda value: cut(str(value)),
        "breakable": breakable,
        "for_cards": lambda figures: json.dumps({one.metric: [one.value, one.floor, one.number] for one in figures}),
    }
    templates.globals |= {"levels_in_words": LEVELS, "marks": {"good": "✓", "fair": "~", "poor": "✗", "unknown": "·"}}
    return templates


def breakable(name: str) -> Markup:
    """A param's name, in which a line may end behind each dot and underscore."""
    return Markup("<wbr>").join(re.findall(r"[^._]*[._]|[^._]+", name))


_OF_THE_SITE = "'self' file: blob: 'wasm-unsafe-eval'"
"""Allowed scripts of an explorer: its files, and the module and the WebAssembly that the runtime makes from these."""


def _page(template: str, *, script: str | None = None, **shown: Any) -> str:
    code = (TEMPLATES / script).read_text() if script else ""
    allowed = f"'{script_hash(code)}'" if script else "'none'"
    allowed = _OF_THE_SITE if shown.get("explorer") else allowed
    played = "data: blob:" if shown.get("explorer") else "data:"
    policy = {"allowed": Markup(allowed), "played": played}
    page: str = _templates().get_template(template).render(script=Markup(code), **policy, **shown)
    return page
