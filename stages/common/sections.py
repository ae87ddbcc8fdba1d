"""A part of params as a model, and its errors as sentences with the nearest right name."""

import datetime
import os
import re
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml.error import MarkedYAMLError

from mintage.nearest import like, nearest, not_one_of
from mintage.spelling import american_keys, spelled_twice
from stages.common.errors import UserError, brief

COLOR = r"^#[0-9a-fA-F]{6}$"
DEVICE = r"^(auto|cpu|cuda(:\d+)?)$"
PUBLIC_URL = r"^(https?://[^/@]+/|file:///)"
SHA256 = r"^[0-9a-fA-F]{64}$"
S3_URL = r"^s3://[^/@]+(/.*)?$"
STORE_URL = r"^(file:.+|s3://[^/@]+(/.*)?)$"
WEBHOOK = r"^https?://[^/@]+(/.*)?$"
_FORMS = {
    COLOR: "'#RRGGBB', such as '#ffffff', within quotes",
    DEVICE: "auto, cpu, cuda or cuda:N",
    PUBLIC_URL: "http(s)://HOST/PATH or file:///PATH",
    S3_URL: "s3://BUCKET/PREFIX",
    SHA256: "64 hexadecimal digits",
    WEBHOOK: "http(s)://HOST/PATH",
    STORE_URL: "file:FOLDER or s3://BUCKET/PREFIX",
}
_URLS = {PUBLIC_URL, S3_URL, STORE_URL, WEBHOOK}
_FOLDER = re.compile(r"(?!\w+:)[^@]+$")
"""A path without a scheme."""
_WANTED = {
    "bool_type": "be true or false",
    "dict_type": "be a mapping, such as {{name: value}}",
    "finite_number": "be a finite number",
    "float_type": "be a number",
    "greater_than": "be above {gt}",
    "greater_than_equal": "be at least {ge}",
    "int_type": "be a whole number",
    "less_than": "be below {lt}",
    "less_than_equal": "be at most {le}",
    "list_type": "be a list",
    "model_type": "be a mapping, such as {{name: value}}",
    "string_too_long": "have at most {max_length} characters",
    "string_too_short": "not be empty",
    "string_type": "be a text",
    "too_long": "have at most {max_length} entries",
    "too_short": "have at least {min_length} entries",
}
"""What a value must do, by pydantic's type of error."""
_NEGATIONS, _CONSENTS = ("no", "off", "false", "none"), ("yes", "on", "true")
"""Texts that are meant as false, or true: YAML reads some of them so in its version 1.1, which is not DVC's."""
_UNKNOWN_SHOWN = 3
_LONGEST_LINE = 1000
"""Texts that may be longer than this may have many lines."""
_BEFORE = ("expected <block end>", "mapping values are not allowed")
"""Beginnings of problems of YAML that are told behind the line that is wrong."""
_BACKSLASH = "write a text with a \\ in it within single quotes"
_MENDED_BY = {
    "mapping values are not allowed": "put a text with a colon in it in quotes, or mend how far in the lines begin",
    "expected escape sequence": _BACKSLASH,
    "found unknown escape": _BACKSLASH,
}
"""What to do about problems of YAML, by their beginnings."""


class Section(BaseModel):
    """A model that refuses unknown keys and does not convert types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, values: Any) -> Any:
        return american_keys(values, known=names(cls))


def number_or_auto(value: Any) -> Any:
    """A value that must be a number, "auto" or None; raises a single ValueError, not one for each alternative."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    if value in (None, "auto") or number:
        return value
    raise ValueError(f"{brief(value)} is none of a number, auto and null")


def file_or_false(value: Any) -> Any:
    """A value that must be a file's name, False or None; raises a single ValueError."""
    if isinstance(value, str) and value.lower() in _NEGATIONS:
        raise ValueError(f"{value!r} is a text to YAML: write false (no labels), or null (the source's own)")
    if value is None or value is False or (isinstance(value, str) and value):
        return value
    raise ValueError(f"{brief(value)} is none of a file's name, false (no labels) and null (the source's own)")


def names_or_all(value: Any) -> Any:
    """A value that must be a list of names, a name, or "all"; raises a single ValueError."""
    if isinstance(value, str) and value and value != "all":
        return [value]
    if value == "all" or (isinstance(value, list) and value and all(isinstance(one, str) and one for one in value)):
        return value
    raise ValueError(f"{brief(value)} is none of a name, a list of names, and all")


def apart(folders: list[str]) -> list[str]:
    """The folders, which must all be different; raises ValueError."""
    places = [os.path.normpath(folder) for folder in folders]
    if twice := next((place for place in places if places.count(place) > 1), None):
        raise ValueError(f"{twice!r} is there twice, and a picture would be its own partner: name each folder once")
    return folders


def folders_of_domains(value: Any) -> Any:
    """The two domains, from a list of folders, which are also their names, or from a mapping; raises ValueError."""
    if value is None:
        return None
    named = dict(zip(value, value, strict=True)) if _names(value) else value
    if not isinstance(named, dict) or not _names([*named, *named.values()]):
        raise ValueError(f"{brief(value)} is none of two folders, two names with the folder of each, and null")
    if len(named) == 2 and len({*named.values()}) == 1:
        raise ValueError(f"{' and '.join(named)} have one folder, {named[next(iter(named))]}: name one for each")
    if len(named) != 2:
        raise ValueError(f"{', '.join(named)}: there are two domains, and this names {len(named)}")
    return named


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one.strip("/") for one in value)


SectionType = TypeVar("SectionType", bound=Section)


def validated(
    model: type[SectionType], values: Any, file: str | Path, prefix: str = "", listed: str | None = None
) -> SectionType:
    """`values`, found in `file` under the dotted key `prefix`, as a `model`; `listed` names the list of all keys.

    Raises a UserError that names each error.
    """
    listed = listed or ("`python -m stages.ingest --sources` lists" if prefix else "docs/params.md lists")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        errors: list[dict[str, Any]] = [dict(each) for each in error.errors()]
        # A text with a line break has swallowed the keys after it: all else follows from that.
        errors = [each for each in errors if _breaks(each)] or errors
        sentences = _of_wrong([each for each in errors if each["type"] != "missing"], model, prefix)
        meant = {_meant(each, model, prefix) for each in errors if each["type"] == "extra_forbidden"}
        missing = [_key(each["loc"], prefix) for each in errors if each["type"] == "missing"]
        missing = [key for key in missing if key not in meant]
        sentences += _of_missing(missing, listed)  # the last, since a misspelled key explains more
        raise UserError("params-invalid", "; ".join(f"{file}: {sentence}" for sentence in sentences)) from None


def first_problem(error: ValidationError) -> str:
    """The first of what is wrong with a file's facts: its key, and how it is wrong."""
    first = error.errors(include_url=False)[0]
    return f"{_key(first['loc'], '') or 'the whole'}: {first['msg'].lower()}"


def _key(where: Iterable[Any], prefix: str) -> str:
    return ".".join([*([prefix] if prefix else []), *(str(part) for part in where)])


def _of_wrong(errors: list[dict[str, Any]], model: type[BaseModel], prefix: str) -> list[str]:
    """A sentence for each error; unknown keys after the first few are only counted."""
    unknown = [error for error in errors if error["type"] == "extra_forbidden"]
    more = unknown[_UNKNOWN_SHOWN:]
    sentences = [_sentence(error, model, prefix) for error in errors if error not in more]
    return [*sentences, f"{len(more)} more of its keys are not known"] if more else sentences


def _of_missing(keys: list[str], listed: str) -> list[str]:
    """A sentence on all missing keys; none if there are none."""
    if len(keys) > 1:
        return [f"{len(keys)} keys are missing: {', '.join(keys)}: add them ({listed} every key)"]
    return [f"{key} is missing: add it ({listed} every key)" for key in keys]


def _meant(error: dict[str, Any], model: type[BaseModel], prefix: str) -> str | None:
    """The key that an unknown one is most likely meant for."""
    where = list(error["loc"])
    close = like(str(where[-1]), names(_model_at(model, where[:-1])))
    return close and _key([*where[:-1], close], prefix)


def _sentence(error: dict[str, Any], model: type[BaseModel], prefix: str) -> str:
    where = list(error["loc"])
    key = _key(where, prefix)
    shown = _show_value(error["input"])
    if error["type"] == "extra_forbidden":
        name, known = str(where[-1]), names(_model_at(model, where[:-1]))
        return f"{key} = {shown} is {spelled_twice(name, known) or f'not a known key{nearest(name, known)}'}"
    if _breaks(error):
        return f"{key} = {shown} holds a line break: is a closing quote missing?"
    if error["type"] == "literal_error" and error["input"] is not None:
        expected = error["ctx"]["expected"]
        allowed = [name.strip("'") for name in expected.replace(" or ", ", ").split(", ")]
        quotes = " is refused: remove the quotes" if str(error["input"]) in allowed else None
        return f"{key} = {shown}{quotes or not_one_of(str(error['input']), allowed, expected)}"
    if error["type"] in ("of_section", "value_error"):  # a sentence of this project, which may begin with the key
        return f"{key}.{error['msg']}" if error["type"] == "of_section" else f"{key}: {error['ctx']['error']}"
    return f"{key}{_refusal(error, shown)}"


def _refusal(error: dict[str, Any], shown: str) -> str:
    """What is wrong with a value alone, and what to write."""
    if error["input"] is None and (to_write := _to_write(error)):
        return f" is empty, or null: write {to_write}"
    by_pattern = error["type"] == "string_pattern_mismatch"
    wanted = _form(error["ctx"]["pattern"], str(error["input"])) if by_pattern else _wanted(error)
    return f" = {shown} is refused: {wanted}"


def _to_write(error: dict[str, Any]) -> str:
    """What to write where there is nothing; empty if that is not known."""
    if error["type"] == "literal_error":
        return str(error["ctx"]["expected"])
    if error["type"] == "model_type":
        return "its keys"
    if error["type"] == "string_type":
        return "a text, within quotes if it begins with '#', since # begins a comment"
    return _WANTED.get(error["type"], "").format(**error.get("ctx", {})).removeprefix("be ")


def _form(pattern: str, value: str) -> str:
    """How a value is written that must be of a pattern."""
    if pattern == STORE_URL and _FOLDER.match(value):
        return f"did you mean 'file:{value}'?"
    secret = ", without a user or a password" if pattern in _URLS and "@" in value else ""
    return f"write {_FORMS.get(pattern, pattern)}{secret}"


def _wanted(error: dict[str, Any]) -> str:
    """What a value must be, in plain words where there are some for this type of error."""
    value, wanted = error["input"], _WANTED.get(error["type"])
    if mend := _mend(error["type"], value):
        return mend
    if error["type"] == "int_type" and isinstance(value, float) and value.is_integer():
        thousands = f", or {int(value)}000 if that was meant as thousands" if 0 < value < 1000 else ""
        return f"write {int(value)}{thousands}"
    if wanted is None:
        return f"{error['msg'][0].lower()}{error['msg'][1:]}"
    return f"it must {wanted.format(**error.get('ctx', {}))}{_as_share(error)}"


def _breaks(error: dict[str, Any]) -> bool:
    """Whether a text that must be one line has several, as one does whose closing quote is missing."""
    if error["type"] in ("of_section", "value_error") or error.get("ctx", {}).get("max_length", 0) > _LONGEST_LINE:
        return False
    return isinstance(error["input"], str) and "\n" in error["input"]


def _mend(kind: str, value: Any) -> str | None:
    """How to write a value that YAML reads as another type; None if it is not known."""
    if kind == "bool_type" and str(value).lower() in _NEGATIONS + _CONSENTS:
        return f"write {str(value).lower() in _CONSENTS}".lower()
    if kind == "string_type" and isinstance(value, bool | int | float | datetime.date):
        return "write it in quotes"
    if kind in ("int_type", "float_type") and isinstance(value, str):
        return _as_number(value.strip(), whole=kind == "int_type")
    return None


def _as_number(text: str, whole: bool) -> str | None:
    """How to write a text that is meant as a number; None if it is not one."""
    if re.fullmatch(r"-?\d+" if whole else r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        return "remove the quotes"
    if whole and re.fullmatch(r"[1-9]\d{0,2}([ ,.'’\u00a0\u202f]\d{3})+", text):
        return f"write {''.join(re.findall('[0-9]', text))}"
    if whole and (found := re.fullmatch(r"(\d+(?:\.\d{1,3})?)([kKmM])", text)):
        return f"write {round(float(found[1]) * (1_000 if found[2] in 'kK' else 1_000_000))}"
    if not whole and re.fullmatch(r"-?\d+,\d+", text):
        return f"write {text.replace(',', '.')}"
    if not whole and (share := re.fullmatch(r"(\d+(?:\.\d+)?) ?%", text)):
        return f"write {float(share[1]) / 100:g}"
    return None


def _as_share(error: dict[str, Any]) -> str:
    """What to write in place of a percentage; nothing if the value is none."""
    context, value = error.get("ctx", {}), error["input"]
    if 1 not in (context.get("lt"), context.get("le")) or not 1 < value <= 100:
        return ""
    return f" (a share: {value / 100:g} is {value:g}%)"


def _show_value(value: Any) -> str:
    if isinstance(value, dict | list):
        return "{...}" if isinstance(value, dict) else "[...]"
    if isinstance(value, datetime.date):
        return str(value)
    if "@" in str(value):  # a URL may contain a password
        return "(hidden, it holds an '@')"
    return brief(value)


def names(model: type[BaseModel]) -> list[str]:
    """The keys of a model, as written in params."""
    return [field.alias or name for name, field in model.model_fields.items()]


def all_names(model: type[BaseModel]) -> set[str]:
    """The keys of a model and of those within."""
    inner = filter(None, (_model_in(field.annotation) for field in model.model_fields.values()))
    return {*names(model)}.union(*map(all_names, inner))


def _model_at(model: type[BaseModel], where: list[Any]) -> type[BaseModel]:
    for part in where:
        for name, field in model.model_fields.items():
            if (field.alias or name) == part:
                model = _model_in(field.annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, list, Annotated):
        return next((m for a in get_args(annotation) if (m := _model_in(a))), None)
    return None


def yaml_problem(error: Exception) -> str:
    """A YAML error's place and message, without the text around it and without values, which can be passwords."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return " (a character that YAML does not allow)"
    problem = str(error.problem).partition(" with value ")[0]
    if error.context == "while scanning a simple key" and error.context_mark is not None:  # its colon is missing
        return f", line {error.context_mark.line + 1}: {problem}"
    problem += next((f": {advice}" for start, advice in _MENDED_BY.items() if problem.startswith(start)), "")
    before = " or before it" if problem.startswith(_BEFORE) else ""
    return f", line {error.problem_mark.line + 1}{before}: {problem}"


Name = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Shown = Annotated[int, Field(ge=1, le=10**10)]
"""Images shown to a network: at the most, ten thousand a second take two weeks."""
Share = Annotated[float, Field(ge=0, le=1)]
OpenShare = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Device = Annotated[str, Field(pattern=DEVICE)]
Processes = Annotated[int, Field(ge=1, le=1024)]
Place = Annotated[str, Field(min_length=1), AfterValidator(os.path.expanduser)]
"""A path, in which ~ is the user's home."""
Window = Annotated[int, Field(ge=2)]
"""Images in memory at a time."""
Severity = Literal["critical", "warning"]


Level = Annotated[float | Literal["auto"] | None, BeforeValidator(number_or_auto)]
"""A number in the values of the source's images."""


class Pairs(Section):
    """Folders of images, of partners, and of maps that join the partners: files of the same name belong together."""

    by: Literal["name"]
    folders: Annotated[
        list[Annotated[str, Field(min_length=1)]], Field(min_length=2, max_length=8), AfterValidator(apart)
    ]

    @property
    def maps(self) -> int:
        """How many maps join each partner."""
        return len(self.folders) - 2


class Scenes(Section):
    """Each frame of a scene with enough frames before it is predicted from these."""

    past: Annotated[int, Field(ge=1, le=16)] = 4
    every: Annotated[int, Field(ge=1, le=1000)] = 1
    """Every how many frames one is taken."""


class Groups(Section):
    """A table by keys, and its column with the names of groups."""

    file: Annotated[str, Field(min_length=1)]
    column: Annotated[str, Field(min_length=1)]


class Attributes(Section):
    """A table by keys, or null if Parquet has the columns beside the images; and the columns to use."""

    file: Annotated[str, Field(min_length=1)] | None = None
    columns: Annotated[Literal["all"] | list[str], BeforeValidator(names_or_all)]
