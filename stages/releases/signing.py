"""C2PA manifests (Content Credentials, c2pa.org): a signed statement in a file that a model made it, and which one.

A mark can be written by anybody. A manifest holds only while no byte of the file changes, and names who signed.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mintage.__main__ import version
from stages.common.errors import UserError, quoted
from stages.common.marks import SOFTWARE, Mark, mark_in
from stages.common.readers import require_reader
from stages.common.stage import interrupt_later

GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's word for media that a trained model made."""
ASSERTION = "org.mintage.model"
_UNKNOWN = "somebody unknown"
_MANIFEST = b"jumdc2pa"
"""Begins the description of a manifest store, in any kind of file (JUMBF, ISO 19566-5)."""
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_STATES = {
    "Trusted": "whole, and its certificate is of an issuer that you trust",
    "Valid": "whole; its certificate is of no issuer that you named",
    "Expired": "whole, but its certificate has ended, and no time stamp says that it signed before",
    "Invalid": "not valid, so do not rely on it",
    "Unchecked": "not checked, which needs c2pa-python (requirements/signing.txt)",
}
_CHANGED = "assertion.dataHash.mismatch"
_UNTRUSTED, _EXPIRED = "signingCredential.untrusted", "signingCredential.expired"


@dataclass(frozen=True)
class Signature:
    """What a file's manifest says, and whether it holds."""

    state: str
    """A key of `_STATES`: C2PA's own `Trusted`, `Valid` and `Invalid`, and what it does not tell apart."""
    signer: str
    """The certificate's common name and organization."""
    model: dict[str, Any]
    """What the manifest says of the model: `model`, `family` and `releases`; empty where another program signed."""
    problems: tuple[str, ...] = ()
    """C2PA's codes of what does not hold, such as `_CHANGED`."""

    def __str__(self) -> str:
        why = f" ({', '.join(self.problems)})" if self.problems else ""
        what = "changed since it was signed" if _CHANGED in self.problems else _STATES[self.state]
        return f"signed by {quoted(self.signer)}: {what}{why}"


@dataclass(frozen=True)
class Signer:
    """A certificate and its key, which sign files.

    Args:
        certificate: PEM of the signer's certificate, then of those between it and the root.
        key: PEM of its private key, not encrypted: EC on P-256, P-384 or P-521, Ed25519, or RSA.
        authority: Address of a time-stamp authority (RFC 3161), without which a signature ends with its certificate.
    """

    certificate: Path
    key: Path
    authority: str | None = None

    def sign(self, content: bytes, mark: Mark, releases: Sequence[str], title: str) -> bytes:
        """A PNG, GIF or WAV file with a manifest that names its model and the releases that hold it.

        Raises:
            UserError: It cannot be signed, by this certificate or at all.
        """
        require_reader("c2pa")
        import c2pa

        algorithm, key = _algorithm_and_key(self.key)
        info = c2pa.C2paSignerInfo(algorithm, _read(self.certificate), key, self.authority)
        kind, out = _kind_of(content), io.BytesIO()
        try:
            with c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": False}}}) as context:
                builder = c2pa.Builder(_manifest(kind, mark, releases, title), context=context)
                builder.sign(c2pa.Signer.from_info(info), kind, io.BytesIO(content), out)
        except c2pa.C2paError as error:
            raise UserError(
                "signing-failed",
                f"{title} was not signed ({quoted(str(error))}): name a certificate that is valid now and of the kind "
                "in docs/releases.md, first in its chain, its own key, and an authority that answers, if any",
            ) from None
        return out.getvalue()


def mark_to_sign(content: bytes, path: Path) -> Mark:
    """The mark of a file that can be signed.

    Raises:
        UserError: C2PA does not know its kind, or Mintage did not make it.
    """
    if _kind_of(content) is None:
        raise UserError("signing-of-other-file", f"{path} is no PNG, GIF or WAV file, which are all that is signed")
    mark = mark_in(content)
    if mark is None:
        raise UserError("signing-without-mark", f"{path} has no mark of Mintage: only what it generated is signed")
    return mark


def is_signed(content: bytes) -> bool:
    return _MANIFEST in content


def signature_in(content: bytes, anchors: Path | None = None) -> Signature | None:
    """What the manifest of a file says; None if it has none.

    Args:
        content: A file's bytes.
        anchors: PEM of the root certificates that are trusted.

    Raises:
        UserError: `anchors` has no certificate.
    """
    if not is_signed(content):
        return None
    if find_spec("c2pa") is None:
        return Signature("Unchecked", _UNKNOWN, {})
    import c2pa

    trust = {"trust": {"trust_anchors": _roots(anchors)}} if anchors else {}
    try:
        with (
            interrupt_later(),  # which c2pa's callbacks would print as a traceback, and swallow
            c2pa.Context.from_dict(
                {"verify": {"verify_trust": True, "remote_manifest_fetch": False}, **trust}
            ) as context,
            c2pa.Reader(_kind_of(content), io.BytesIO(content), context=context) as reader,
        ):
            return _signature(json.loads(reader.json()))
    except (c2pa.C2paError, KeyError, TypeError, AttributeError):  # too damaged to be read, or of another form
        return Signature("Invalid", _UNKNOWN, {}, ("unreadable",))


def _signature(said: dict[str, Any]) -> Signature:
    manifest = said["manifests"][said["active_manifest"]]
    signer = manifest.get("signature_info", {})
    names = dict.fromkeys(name for name in (signer.get("common_name"), signer.get("issuer")) if name)
    models = (one["data"] for one in manifest.get("assertions", []) if one["label"] == ASSERTION)
    codes = (one["code"] for one in said.get("validation_status", []))
    problems = tuple(dict.fromkeys(code for code in codes if code != _UNTRUSTED))
    state = "Expired" if problems == (_EXPIRED,) else said["validation_state"]
    return Signature(state, ", ".join(names) or _UNKNOWN, next(models, {}), problems)


def _manifest(kind: str | None, mark: Mark, releases: Sequence[str], title: str) -> dict[str, Any]:
    program = {"name": SOFTWARE, "version": version()}
    made = {"action": "c2pa.created", "digitalSourceType": GENERATED, "softwareAgent": program}
    model = {"model": mark.model, "family": mark.family, "releases": list(releases)}
    return {
        "claim_generator_info": [program],
        "title": title,
        "format": kind,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [made]}},
            {"label": ASSERTION, "data": model},
        ],
    }


def _kind_of(content: bytes) -> str | None:
    """The media type of a file that can be signed; None of others, which C2PA's reader finds out by itself."""
    if content.startswith(b"RIFF"):
        return "audio/wav" if content[8:12] == b"WAVE" else None
    begins = {b"\x89PNG": "image/png", b"GIF8": "image/gif"}
    return next((kind for begin, kind in begins.items() if content.startswith(begin)), None)


def _algorithm_and_key(path: Path) -> tuple[str, bytes]:
    """C2PA's name of the algorithm that a private key is for, and the key as C2PA reads it: in PKCS#8."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    try:
        private = load_pem_private_key(_read(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it is encrypted
        raise UserError(
            "key-unusable", f"{path} is no private key in PEM without a password ({quoted(str(error))}): name one"
        ) from None
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in _CURVES:
        algorithm = _CURVES[private.curve.name]
    elif isinstance(private, ed25519.Ed25519PrivateKey):
        algorithm = "ed25519"
    elif isinstance(private, rsa.RSAPrivateKey):
        algorithm = "ps256"
    else:
        raise UserError(
            "key-unusable",
            f"{path} is of a kind that C2PA does not know: EC on P-256, P-384 or P-521, Ed25519, or RSA will do",
        )
    return algorithm, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _roots(path: Path) -> str:
    """The certificates in a PEM file."""
    from cryptography.x509 import load_pem_x509_certificates

    content = _read(path)
    try:
        load_pem_x509_certificates(content)
    except ValueError:
        raise UserError("certificate-unreadable", f"{path} holds no certificate: name a file in PEM") from None
    return content.decode("ascii", "replace")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            "certificate-unreadable", f"{path} cannot be read ({error.strerror}): name a file in PEM"
        ) from None
