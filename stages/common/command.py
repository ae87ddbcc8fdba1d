"""The command line of a module that is run: it is read before anything else, so `--help` and a typo run nothing."""

import argparse


def parser_of(module: str, text: str | None) -> argparse.ArgumentParser:
    """The parser of `python -m module`, with the module's docstring `text` as its help.

    It refuses, with exit code 2, what it does not know, abbreviations of options among it.
    """
    return argparse.ArgumentParser(
        f"python -m {module}",
        description=(text or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
