"""Numbers as people read them."""

from collections.abc import Iterable, Sequence

from mintage.metrics import number

_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def tick(value: float) -> str:
    """A number beside an axis, without trailing zeros: 0.5, not 0.500."""
    text = number(value)
    return text.rstrip("0").rstrip(".") if "." in text and "×" not in text else text


def count(value: int) -> str:
    """A whole number with thousands separators: 600,000."""
    return f"{value:,}"


def compact(value: float) -> str:
    """A count for an axis: 0 · 500 · 50k · 1.2M."""
    size, unit = next(((s, u) for s, u in _UNITS if abs(value) >= s), (1.0, ""))
    return f"{value / size:.4g}{unit}"


def size(amount: int) -> str:
    """Bytes as 512 B, 12 kB, 3.4 MB."""
    if amount < 1000:
        return f"{amount} B"
    return f"{amount / 1e3:,.0f} kB" if amount < 1e6 else f"{amount / 1e6:,.1f} MB"


def duration(seconds: float) -> str:
    """Seconds as 3.2 s, 4 min 10 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def aligned(rows: Iterable[Sequence[str]], indent: str = "") -> str:
    """Rows of cells as lines for a terminal, in which columns stand below each other."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join((indent + "  ".join(map(str.ljust, row, widths))).rstrip() for row in rows)
