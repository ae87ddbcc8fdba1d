"""`python -m stages.ingest --sources [NAME]`: every source, or one, with its options."""

from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mintage.nearest import nearest
from stages.common.errors import UserError
from stages.common.sections import Section
from stages.sources import names, reader


def listing(name: str = "") -> str:
    """A paragraph a source, or of the named one: what it is, then each option with its default and what it means.

    Raises UserError where there is none of this name.
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
