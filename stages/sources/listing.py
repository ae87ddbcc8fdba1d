"""List where data may come from: each source with its options, their defaults and what they mean; reads no data."""

from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mintage.nearest import nearest
from stages.common.errors import UserError, run_stage
from stages.common.sections import Section
from stages.common.stage import parser_of
from stages.sources import names, reader


def main() -> None:
    parser = parser_of("stages.sources.listing", __doc__)
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="only the source of that name")
    print(listing(parser.parse_args().name))


def listing(name: str = "") -> str:
    """A paragraph for each source, or for the named one: what it is, then each option's default and meaning.

    Raises UserError if there is no source of this name.
    """
    known = names()
    if name and name not in known:
        raise UserError("source-unknown", f"there is no source {name!r}{nearest(name, known)}")
    return "\n".join(line for one in ([name] if name else known) for line in _lines(one))


def _lines(name: str) -> list[str]:
    module = reader(name)
    first = (module.__doc__ or "").strip().partition("\n")[0]
    return [f"{name:<10}{first}", *(f"    {line}" for line in _options(module.Options)), ""]


def _options(model: type[Section], inside: str = "") -> list[str]:
    return [
        f"{inside}{key} = {_default(field)}: {field.description or ''}" for key, field in model.model_fields.items()
    ]


def _default(field: FieldInfo) -> Any:
    if field.default is PydanticUndefined and field.default_factory is None:
        return "(needed)"
    value = field.get_default(call_default_factory=True)
    return "null" if value is None else value


if __name__ == "__main__":
    run_stage(main)
