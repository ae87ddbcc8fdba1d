"""The model card of a release: that of the selected model, with facts that only its publisher knows (`upload.card`)."""

import html
import json
import re

from stages.common.errors import UserError
from stages.common.licenses import license_entries
from stages.common.params import Card, Upload

CARD = "README.md"
_HEADER = re.compile(r"\A---\n(.*?)^---\n", re.DOTALL | re.MULTILINE)
_LICENSE = re.compile(r"(?m)^license(?:_name)?: .*\n")
_ON_PAGE = re.compile(r"(<dt>license</dt><dd>)[^<]*", re.IGNORECASE)
_OF_DATA = re.compile(r"(?m)Licen[cs]e of the ([^:.]+): .*\.$")


def missing(upload: Upload) -> str | None:
    """A sentence on facts that the publisher must give before publishing; None if nothing is missing."""
    if not upload.require_card or not (lacking := upload.card.lacking()):
        return None
    return f"upload.require_card is true, and upload.card says nothing of {', '.join(lacking)}: fill in what is null"


def require_said(upload: Upload) -> None:
    """Raise UserError if `upload.require_card` asks for more than `upload.card` has."""
    if sentence := missing(upload):
        raise UserError("card-incomplete", f"params.yaml: {sentence}")


def completed(text: str, card: Card) -> str:
    """The card's text with the publisher's facts; missing facts leave it unchanged."""
    if card.data_license is not None:
        text = _licensed(text, card.data_license)
    head, *parts = re.split(r"(?m)^## (.+)\n", text)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    if card.consent is not None:
        sections["Consent"] = _body(card.consent)
    if card.intended_use is not None:
        sections["Intended use"] = _body(card.intended_use)
    if card.limits is not None:
        sections["Limits"] = _body(f"{sections.get('Limits', '').strip()}\n- {card.limits.strip()}")
    return head + "".join(f"## {title}\n{body}" for title, body in sections.items()).rstrip() + "\n"


def completed_page(page: str, card: Card) -> str:
    """A page on the data with the publisher's license in place of the source's, as in the card."""
    said = card.data_license
    return page if said is None else _ON_PAGE.sub(lambda found: f"{found[1]}{html.escape(said)}", page, count=1)


def _body(said: str) -> str:
    return f"\n{said.strip()}\n\n"


def _licensed(text: str, name: str) -> str:
    """The card with a license in its header, for the hub, and in its text, for people."""
    entries = "".join(f"{key}: {json.dumps(value)}\n" for key, value in license_entries(name).items())
    text = _HEADER.sub(lambda found: f"---\n{entries}{_LICENSE.sub('', found[1])}---\n", text)
    return _OF_DATA.sub(lambda found: f"License of the {found[1]}: {name}.", text)
