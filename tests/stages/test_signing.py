"""`python -m stages.releases sign` and what `recognize` says of signatures, with a root and certificates made here."""

import io
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import c2pa
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from mintage.midi import encode_midi
from mintage.waves import decode_wav, encode_wav
from stages.common.errors import sentence_of
from stages.common.marks import Mark, mark_in, with_mark
from stages.common.pictures import encode_png
from stages.releases.signing import Signature, Signer, is_signed, signature_in
from tests.stages.shared_store import Shared
from tests.stages.tiny_data import ROOT

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
NOW = datetime.now(UTC)
LEVELS = np.random.default_rng(0).integers(0, 256, (3, 20, 20), dtype=np.uint8)
KINDS: dict[str, Callable[[], Key]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


def certificate(name: str, key: Key, issuer: str, signing: Key, *, root: bool, days: float = 90) -> bytes:
    """As C2PA wants them: a root that signs certificates, and one for e-mail, which signs files."""
    subject, by = (
        x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lab"), x509.NameAttribute(NameOID.COMMON_NAME, one)])
        for one in (name, issuer)
    )
    public = key.public_key()
    uses = x509.KeyUsage(not root, False, False, False, False, root, root, False, False)
    built = (
        x509.CertificateBuilder(
            by, subject, public, x509.random_serial_number(), NOW - timedelta(100), NOW + timedelta(days)
        )
        .add_extension(x509.BasicConstraints(root, None), True)
        .add_extension(uses, True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), False)
    )
    if not root:
        built = built.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), True)
    digest = None if isinstance(signing, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return built.sign(signing, digest).public_bytes(serialization.Encoding.PEM)


def pem(key: Key, password: bytes | None = None) -> bytes:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def make_signer(folder: Path, kind: str = "P-256", days: float = 90) -> None:
    """Write root.pem, chain.pem and key.pem."""
    root, key = KINDS["P-256"](), KINDS[kind]()
    trusted = certificate("Root", root, "Root", root, root=True)
    (folder / "root.pem").write_bytes(trusted)
    (folder / "chain.pem").write_bytes(certificate("Ada", key, "Root", root, root=False, days=days) + trusted)
    (folder / "key.pem").write_bytes(pem(key))


def sign(shared: Shared, *files: str) -> tuple[int, str]:
    return shared.run("sign", *files, "--certificate", "chain.pem", "--key", "key.pem")


def asked(shared: Shared, file: str, *more: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(shared.run("recognize", file, "--json", *more)[1])["signature"]
    return found


def model_of(shared: Shared, release: str) -> Mark:
    manifest = json.loads(shared.store.read(f"releases/{release}/manifest.json") or b"")
    weights = next(file["sha256"] for file in manifest["files"] if file["path"] == "generator.safetensors")
    return Mark(weights[:20], "cgan")


def gif() -> bytes:
    content, frames = io.BytesIO(), [Image.new("P", (8, 8), shade) for shade in (0, 3)]
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:], loop=0)
    return content.getvalue()


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_signed_file_names_model_release_and_signer_until_a_byte_changes(shared: Shared, kind: str) -> None:
    release = shared.release(0)
    mark = model_of(shared, release)
    make_signer(shared.tree, kind)
    Path("a.png").write_bytes(with_mark(encode_png(LEVELS), mark))
    assert sign(shared, "a.png") == (0, "1 file signed\n")
    model = {"model": mark.model, "family": "cgan", "releases": [release]}
    whole = {"signer": "Ada, Lab", "model": model, "problems": []}
    assert asked(shared, "a.png") == {"state": "Valid", **whole}
    assert asked(shared, "a.png", "--trust", "root.pem") == {"state": "Trusted", **whole}
    content = bytearray(Path("a.png").read_bytes())
    content[-20] ^= 1
    Path("b.png").write_bytes(content)
    changed = {**whole, "state": "Invalid", "problems": ["assertion.dataHash.mismatch"]}
    assert asked(shared, "b.png", "--trust", "root.pem") == changed


def test_signing_changes_no_pixel_no_sample_and_no_mark(shared: Shared) -> None:
    shared.release(0)
    make_signer(shared.tree)
    wave, mark = np.sin(np.arange(800) / 9)[None] * 0.5, Mark("0" * 20, "wavegan", "1" * 20)
    before = {"a.png": encode_png(LEVELS), "b.gif": gif(), "c.wav": encode_wav(wave, 8000)}
    for name, content in before.items():
        Path(name).write_bytes(with_mark(content, mark))
    assert sign(shared, *before) == (0, "3 files signed\n")
    after = {name: Path(name).read_bytes() for name in before}
    assert [mark_in(content) for content in after.values()] == [mark] * 3
    assert [asked(shared, name)["model"] for name in before] == [
        {"model": mark.model, "family": mark.family, "releases": [mark.release]}
    ] * 3
    for name in ("a.png", "b.gif"):
        with Image.open(name) as new, Image.open(io.BytesIO(before[name])) as old:
            assert new.convert("RGB").tobytes() == old.convert("RGB").tobytes()
    assert np.array_equal(decode_wav(after["c.wav"])[0], decode_wav(before["c.wav"])[0])
    assert sign(shared, *before) == (0, "0 files signed, 3 had a signature already\n")
    assert {name: Path(name).read_bytes() for name in before} == after


def test_what_no_model_made_is_not_signed_and_neither_is_what_stands_beside_it(shared: Shared) -> None:
    shared.release(0)
    make_signer(shared.tree)
    good = with_mark(encode_png(LEVELS), Mark("0" * 20))
    Path("good.png").write_bytes(good)
    Path("real.png").write_bytes(encode_png(LEVELS))
    Path("tune.mid").write_bytes(with_mark(encode_midi(np.eye(16, dtype=np.bool_)), Mark("0" * 20)))
    for bad in ("real.png", "tune.mid", "none.png"):
        code, text = sign(shared, "good.png", bad)
        assert (code, text.count("\n")) == (2, 1)
        assert bad in text
        assert Path("good.png").read_bytes() == good
    assert asked(shared, "good.png") is None


def signed_by_another_program(folder: Path, kind: str) -> bytes:
    """A picture with a manifest, and without a mark."""
    image, out = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (40, 40), "teal").save(image, kind)
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    actions = {
        "label": "c2pa.actions.v2",
        "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": source}]},
    }
    manifest = {"claim_generator_info": [{"name": "Other"}], "format": f"image/{kind}", "assertions": [actions]}
    info = c2pa.C2paSignerInfo(b"es256", (folder / "chain.pem").read_bytes(), (folder / "key.pem").read_bytes(), None)
    c2pa.Builder(manifest).sign(c2pa.Signer.from_info(info), f"image/{kind}", io.BytesIO(image.getvalue()), out)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "tiff"])
def test_what_another_program_signed_is_of_no_model(tmp_path: Path, kind: str) -> None:
    make_signer(tmp_path)
    found = signature_in(signed_by_another_program(tmp_path, kind), tmp_path / "root.pem")
    assert found == Signature("Trusted", "Ada, Lab", {})


def test_a_signature_whose_certificate_has_ended_is_not_called_a_change_of_the_file(tmp_path: Path) -> None:
    end = datetime.now(UTC) + timedelta(seconds=2)
    make_signer(tmp_path, days=(end - NOW) / timedelta(days=1))
    mark = Mark("0" * 20)
    signer = Signer(tmp_path / "chain.pem", tmp_path / "key.pem")
    content = signer.sign(with_mark(encode_png(LEVELS), mark), mark, [], "a.png")
    while datetime.now(UTC) <= end + timedelta(seconds=1):  # a certificate's end is a whole second
        time.sleep(0.05)
    changed = bytearray(content)
    changed[-20] ^= 1
    whole, broken = (signature_in(bytes(one), tmp_path / "root.pem") for one in (content, changed))
    assert whole is not None
    assert (whole.state, whole.problems) == ("Expired", ("signingCredential.expired",))
    assert broken is not None
    assert (broken.state, broken.problems[-1]) == ("Invalid", "assertion.dataHash.mismatch")


def test_a_key_in_the_form_that_openssl_writes_for_ec_alone_signs_too(tmp_path: Path) -> None:
    make_signer(tmp_path)
    key = serialization.load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    plain, how = serialization.NoEncryption(), serialization.PrivateFormat.TraditionalOpenSSL
    (tmp_path / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, how, plain))
    assert b"BEGIN EC PRIVATE KEY" in (tmp_path / "key.pem").read_bytes()
    assert_signs(tmp_path)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_commands_in_the_docs_make_a_certificate_that_signs(tmp_path: Path) -> None:
    lines = (ROOT / "docs" / "releases.md").read_text().splitlines()
    commands = [line[2:] for line in lines if line.startswith(("$ openssl", "$ cat signer.pem"))]
    assert len(commands) == 3
    subprocess.run(" && ".join(commands), shell=True, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "roots.pem").rename(tmp_path / "root.pem")
    assert_signs(tmp_path)


def assert_signs(folder: Path) -> None:
    mark = Mark("0" * 20)
    content = with_mark(encode_png(LEVELS), mark)
    signed = Signer(folder / "chain.pem", folder / "key.pem").sign(content, mark, [], "a.png")
    found = signature_in(signed, folder / "root.pem")
    assert found is not None
    assert found.state == "Trusted"
    changed = bytearray(signed)
    changed[-20] ^= 1
    assert "changed since it was signed" in str(signature_in(bytes(changed), folder / "root.pem"))


def test_a_folder_that_is_not_ones_own_is_told_by_the_file_that_one_knows() -> None:
    error = PermissionError(13, "Permission denied", "/there/.x.png.partial")
    said = sentence_of(error)
    assert said is not None
    assert "'/there/x.png'" in said


@pytest.mark.parametrize(("number", "ends"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_ends_the_signing_between_two_files_and_the_same_command_signs_the_rest(
    tmp_path: Path, number: signal.Signals, ends: int
) -> None:
    make_signer(tmp_path)
    content = with_mark(encode_png(LEVELS), Mark("0" * 20))
    files = [tmp_path / f"{place:03}.png" for place in range(400)]
    for file in files:
        file.write_bytes(content)
    by = f"--certificate {tmp_path}/chain.pem --key {tmp_path}/key.pem --url file:{tmp_path}/no".split()
    command = [sys.executable, "-m", "stages.releases", "sign", *map(str, files), *by]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as signing:
        while not is_signed(files[9].read_bytes()) and signing.poll() is None:
            time.sleep(0.01)
        signing.send_signal(number)
        _, said = signing.communicate()
    signed = [file for file in files if is_signed(file.read_bytes())]
    assert 10 <= len(signed) < 400
    stopped = f"\nstopped: {len(signed)} files signed; the same command again signs the rest\n"
    assert (signing.returncode, said) == (ends, stopped)
    found = [signature_in(file.read_bytes(), tmp_path / "root.pem") for file in signed]
    assert {one and one.state for one in found} == {"Trusted"}
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert again.stdout == f"{400 - len(signed)} files signed, {len(signed)} had a signature already\n"


def test_a_signed_file_that_is_cut_off_anywhere_is_not_valid_or_not_signed(tmp_path: Path) -> None:
    make_signer(tmp_path)
    mark = Mark("0" * 20)
    signer = Signer(tmp_path / "chain.pem", tmp_path / "key.pem")
    content = signer.sign(with_mark(encode_png(LEVELS), mark), mark, [], "a.png")
    found = [signature_in(content[:end]) for end in range(0, len(content) - 1, 97)]
    assert {one and one.state for one in found} == {None, "Invalid"}


@pytest.mark.parametrize("roots", [b"", b"nothing", b"\x00\xff", pem(KINDS["P-256"]())])
def test_roots_that_are_none_call_no_signature_broken(shared: Shared, roots: bytes) -> None:
    make_signer(shared.tree)
    Path("a.png").write_bytes(with_mark(encode_png(LEVELS), model_of(shared, shared.release(0))))
    sign(shared, "a.png")
    Path("roots.pem").write_bytes(roots)
    code, text = shared.run("recognize", "a.png", "--trust", "roots.pem")
    assert (code, text) == (2, "error: roots.pem holds no certificate: name a file in PEM\n")


def encrypted(folder: Path) -> None:
    (folder / "key.pem").write_bytes(pem(KINDS["P-256"](), b"secret"))


def of_another(folder: Path) -> None:
    (folder / "key.pem").write_bytes(pem(KINDS["P-384"]()))


def of_another_curve(folder: Path) -> None:
    (folder / "key.pem").write_bytes(pem(ec.generate_private_key(ec.SECP256K1())))


def no_key(folder: Path) -> None:
    (folder / "key.pem").write_bytes(b"\x00\xff")


def no_certificate(folder: Path) -> None:
    (folder / "chain.pem").write_bytes(b"nothing")


def gone(folder: Path) -> None:
    (folder / "chain.pem").unlink()


def expired(folder: Path) -> None:
    make_signer(folder, days=-1)


@pytest.mark.parametrize("spoil", [encrypted, of_another, of_another_curve, no_key, no_certificate, gone, expired])
def test_a_certificate_or_key_that_cannot_sign_is_one_sentence_and_leaves_the_file(
    shared: Shared, spoil: Callable[[Path], None]
) -> None:
    make_signer(shared.tree)
    spoil(shared.tree)
    content = with_mark(encode_png(LEVELS), Mark("0" * 20))
    Path("a.png").write_bytes(content)
    code, text = sign(shared, "a.png")
    assert (code, text.count("\n"), text[:7]) == (2, 1, "error: ")
    assert "secret" not in text
    assert Path("a.png").read_bytes() == content


def test_without_its_package_a_signature_is_told_and_not_checked(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_signer(shared.tree)
    mark = model_of(shared, shared.release(0))
    Path("a.png").write_bytes(with_mark(encode_png(LEVELS), mark))
    assert sign(shared, "a.png")[0] == 0
    monkeypatch.setattr("stages.releases.signing.find_spec", lambda name: None)
    unchecked = {"state": "Unchecked", "signer": "somebody unknown", "model": {}, "problems": []}
    assert asked(shared, "a.png") == unchecked
    code, text = shared.run("recognize", "a.png")
    assert (code, "requirements/signing.txt" in text) == (0, True)
    monkeypatch.setattr("stages.common.readers.find_spec", lambda name: None)
    Path("b.png").write_bytes(with_mark(encode_png(LEVELS), mark))
    code, text = sign(shared, "b.png")
    assert (code, "requirements/signing.txt" in text) == (2, True)
