"""Hostile or broken archives, IDX, CIFAR, Parquet and arrays: what is at ingest.path, and what one reads then."""

import pickle

import numpy as np
import pyarrow as pa

from tests.stages.hostile_inputs import (
    IMAGES,
    LABELS,
    PNG,
    Case,
    Runs,
    add,
    array,
    cifar,
    cut,
    cut_file,
    cut_gzip,
    damaged_gzip,
    damaged_member,
    damaged_tar_header,
    encrypted_zip,
    gzip_bomb,
    hard_link,
    header_bomb,
    idx,
    just,
    lock,
    lone_test_images,
    not_text,
    npz,
    objects,
    overlapping_zip,
    packed,
    start,
    table,
    text,
    two_archives,
    without,
    write_tar,
)
from tests.stages.source_files import noise
from tests.stages.test_decode import png_saying

FILES: dict[str, Case] = {
    # Archives
    "no archive there": Case("archive", lambda _: None, "input is not a file that exists: set ingest.path to a tar"),
    "two archives": Case("archive", two_archives, "input holds 2 archives (a.zip, b.tar): set ingest.path to the one"),
    "text as an archive": Case("archive", just("hello"), "is damaged, or no tar and no"),
    "an empty file as an archive": Case("archive", just(""), "input is damaged, or no tar and no zip"),
    "a 7z archive": Case("archive", just(b"7z\xbc\xaf\x27\x1c"), "or no tar and no zip"),
    "a tar without images": Case("archive", lambda root: write_tar(root, {}), "input holds no images (known by .apng"),
    "a tar with a link": Case("archive", packed("tar", **{"cat/l.png": b"-> /etc/passwd"}), "'cat/l.png' is a link"),
    "a tar with a hard link": Case("archive", hard_link, "input: 'cat/b.png' is a link: pack it again"),
    "a tar with '..'": Case(
        "archive", packed("tar", **{"cat/../../x.png": PNG}), "'cat/../../x.png' is a name that leads"
    ),
    "a tar with an absolute name": Case(
        "archive", packed("tar", **{"/tmp/x.png": PNG}), "'/tmp/x.png' is a name that leads"
    ),
    "a tar with a pipe": Case("archive", packed("tar", **{"cat/p.png": b"pipe"}), "skipped 1 file without an image", 0),
    "a tar with a newline": Case(
        "archive", packed("tar", **{"cat/a\nb.png": PNG}), "has a name with control characters"
    ),
    "a tar with a name of a page": Case(
        "archive", packed("tar", **{"cat/" + 2000 * "x" + "\n.png": PNG}), "xxxxx\\n.png' has a name with control"
    ),
    "a tar cut in an image": Case("archive", cut_file(packed("tar"), 0.2), "input is "),
    "a tar cut in a header": Case("archive", cut_file(packed("tar"), 0.01), "input is damaged, or no tar"),
    "a tar with a damaged header": Case("archive", damaged_tar_header, "input is cut off or damaged 2048 bytes in"),
    "a tar.gz that is a bomb": Case(
        "archive", gzip_bomb, "input unpacks to more than 100 times its size, as a bomb does"
    ),
    "a tar whose header is a bomb": Case("archive", header_bomb, "input unpacks to more than 100 times its size"),
    "an image bomb in a tar": Case(
        "archive", packed("tar", **{"cat/b.png": png_saying(60000, 60000)}), "60000 x 60000 pixels"
    ),
    "a zip with a link": Case(
        "archive", packed("zip", **{"cat/l.png": b"-> /etc/passwd"}), "'cat/l.png' is a link: pack"
    ),
    "a zip with '..'": Case("archive", packed("zip", **{"../x.png": PNG}), "'../x.png' is a name that leads outside"),
    "a zip with '..' of Windows": Case(
        "archive", packed("zip", **{"..\\x.png": PNG}), "'../x.png' is a name that leads"
    ),
    "a zip with a drive": Case(
        "archive", packed("zip", **{"C:\\x.png": PNG}), "'C:/x.png' is a name that leads outside"
    ),
    "a zip whose entries overlap": Case("archive", overlapping_zip, "input unpacks to more than 100 times its size"),
    "a zip with a password": Case("archive", encrypted_zip, "input: 'a.png' is encrypted: pack it again without"),
    "a zip cut in half": Case("archive", cut_file(packed("zip"), 0.5), "input is damaged, or no tar and no zip"),
    "a zip with a damaged image": Case("archive", damaged_member, "input is damaged, or no tar and no zip"),
    "one name twice": Case(
        "archive", packed("tar", **{"./cat/0.png": PNG}), "two images have the key 'cat/0.png': rename one"
    ),
    # Locked
    "an archive that may not be read": Case("archive", lock(packed("tar"), ""), "input cannot be read", locked=True),
    "arrays that may not be read": Case("arrays", lock(array(noise(3, 8, 8)), ""), "Permission denied", locked=True),
    "Parquet that may not be read": Case("parquet", lock(table(image=[PNG] * 2), ""), "Permission denied", locked=True),
    "CIFAR that may not be read": Case("cifar", lock(cifar(), "data_batch_1.bin"), "Permission denied", locked=True),
    "IDX that may not be read": Case("idx", lock(idx(lambda _: None), IMAGES), "Permission denied", locked=True),
    # IDX
    "no IDX images": Case("idx", idx(without(IMAGES)), f"holds no {IMAGES} (or {IMAGES}.gz)"),
    "no IDX labels": Case("idx", idx(without(LABELS)), f"holds no {LABELS} (or {LABELS}.gz)"),
    "IDX test images without labels": Case(
        "idx", idx(lone_test_images), "6 of 12 images have no label (null, NaN, N/A, empty or -1, 6 of 6 in test)"
    ),
    "a wrong magic number": Case(
        "idx", idx(start(IMAGES, 2052)), f"{IMAGES} has the magic number 2052, IDX images have"
    ),
    "labels for images": Case("idx", idx(start(IMAGES, 2049)), f"{IMAGES} has the magic number 2049"),
    "images for labels": Case(
        "idx", idx(start(LABELS, 2051)), f"{LABELS} has the magic number 2051, IDX labels have 2049"
    ),
    "an empty IDX file": Case("idx", idx(cut(IMAGES, 0)), f"{IMAGES} is truncated"),
    "half an IDX header": Case("idx", idx(cut(IMAGES, 10)), f"{IMAGES} is truncated"),
    "half the IDX images": Case("idx", idx(cut(IMAGES, 16 + 3 * 64 + 5)), f"{IMAGES} is truncated"),
    "a label too few": Case("idx", idx(cut(LABELS, 8 + 5)), f"{LABELS} is truncated"),
    "a byte too many": Case("idx", idx(add(IMAGES, b"x")), f"{IMAGES} is too long"),
    "a label too many": Case("idx", idx(add(LABELS, b"\x01")), f"{LABELS} is too long"),
    "other counts": Case("idx", idx(start(LABELS, 2049, 5)), f"{IMAGES} says 6 images but"),
    "no images in an IDX file": Case("idx", idx(start(IMAGES, 2051, 0)), "its header says 0 images of 8 x 8"),
    "IDX images of no width": Case("idx", idx(start(IMAGES, 2051, 6, 8, 0)), "its header says 6 images of 8 x 0"),
    "huge IDX images": Case(
        "idx", idx(start(IMAGES, 2051, 6, 2**32 - 1, 2**32 - 1)), "over ingest.max_pixels (1000000)"
    ),
    "a cut gzip": Case("idx", idx(cut_gzip), f"{IMAGES} is damaged (Compressed file ended"),
    "a damaged gzip": Case("idx", idx(damaged_gzip), f"{IMAGES} is damaged (CRC check failed"),
    "more labels than names": Case(
        "idx", idx(text("classes.txt", "cat\ndog\n")), "has the label 2, but there are names for 2"
    ),
    "a class name twice": Case("idx", idx(text("classes.txt", "cat\ndog\ncat\n")), "classes.txt names a class twice"),
    "names in no encoding": Case(
        "idx", idx(text("classes.txt", b"\xff\xfe\xff")), "classes.txt cannot be read as text"
    ),
    # CIFAR
    "CIFAR's pickles": Case("cifar", text("data_batch_1", pickle.dumps(Runs())), "reading one can run any code"),
    "no CIFAR files": Case("cifar", text("notes.txt", "x"), "holds no data_batch_1.bin (CIFAR-10) and no train.bin"),
    "a CIFAR record cut off": Case("cifar", cifar(extra=b"x" * 99), "has 12391 bytes, not whole records of 3073"),
    "a CIFAR file of 0 bytes": Case("cifar", cifar(records=0), "has 0 bytes, not whole records of 3073"),
    "a CIFAR label without a name": Case("cifar", cifar(label=10), "has the label 10, but there are 10 classes only"),
    # Parquet
    "text as Parquet": Case("parquet", just("hello"), "input cannot be read as Parquet"),
    "no Parquet there": Case("parquet", lambda root: root.mkdir(), "is no Parquet file, and no folder with some: set"),
    "a cut Parquet file": Case("parquet", cut_file(table(image=[PNG] * 9), 0.7), "input cannot be read as Parquet"),
    "no column of images": Case(
        "parquet", table(img=[PNG]), "has no column 'image' but img: name it in ingest.options"
    ),
    "numbers for images": Case("parquet", table(image=[1, 2]), "column 'image' is int64, not encoded images"),
    "paths for images": Case(
        "parquet",
        table(image=[{"bytes": None, "path": "/etc/passwd"}] * 2 + [{"bytes": b"x", "path": ""}]),
        "but the path",
    ),
    "an image bomb in Parquet": Case(
        "parquet", table(image=[png_saying(60000, 60000)]), "row 0 says it has 60000 x 60000"
    ),
    "a label of no class": Case(
        "parquet",
        table(image=[PNG] * 2, label=["a", None]),
        "1 of 2 images have no label (null, NaN, N/A, empty or -1), such as",
    ),
    "text in Parquet that is no UTF-8": Case(
        "parquet", table(image=[PNG] * 2, label=not_text(b"a", b"\xb5")), "input cannot be read as"
    ),
    "paths in Parquet that are no UTF-8": Case(
        "parquet",
        table(image=pa.StructArray.from_arrays([[PNG] * 2, not_text(b"a", b"\xb5")], ["bytes", "path"])),
        "input cannot be read as Parquet ('utf-8'",
    ),
    # Arrays
    "pickled objects": Case(
        "arrays", objects, "holds Python objects, as pickles, of which reading one can run any code"
    ),
    "a pickle as npy": Case("arrays", just(pickle.dumps(Runs())), "a pickle is never read"),
    "vectors": Case("arrays", array(np.zeros((4, 9), np.uint8)), "has the shape (4, 9): images are [N,H,W]"),
    "big integers": Case("arrays", array(np.zeros((4, 9, 9), np.int64)), "holds int64: images are uint8, uint16"),
    "NaN": Case("arrays", array(np.full((2, 4, 4), np.nan, np.float32)), "image 0 has values outside 0 to 1"),
    "Fortran's order": Case("arrays", array(np.asfortranarray(np.ones((2, 4, 5), np.uint8))), "is in Fortran's order"),
    "names of arrays with newlines": Case(
        "arrays", npz(**{"images\n": noise(2, 4, 4), "labels": np.arange(2)}), "has a name with control characters"
    ),
    "a hundred arrays": Case(
        "arrays", npz(**{f"a{n}": noise(1, 2, 2) for n in range(100)}), "a19, ...: name those to read"
    ),
    "a cut array": Case(
        "arrays", cut_file(array(noise(9, 8, 8)), 0.7), "is cut off: it holds fewer bytes than its header"
    ),
    "huge arrays": Case("arrays", array(np.zeros((1, 4000, 4000), np.uint8)), "over ingest.max_pixels (1000000)"),
}
