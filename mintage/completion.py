"""What a shell offers after TAB. The programs are read, not imported: torch takes seconds."""

import re
from pathlib import Path

SCRIPTS = {
    "bash": """\
_mintage() {
    local IFS=$'\\n'
    COMPREPLY=($(mintage completion --complete "${COMP_WORDS[@]:1:COMP_CWORD}"))
}
complete -o default -F _mintage mintage
""",
    "zsh": """\
#compdef mintage
_mintage() {
    local -a found
    found=(${(f)"$(mintage completion --complete "${(@)words[2,CURRENT]}")"})
    if (( $#found )); then compadd -a found; else _files; fi
}
compdef _mintage mintage
""",
    "fish": """\
complete -c mintage -a '(mintage completion --complete (commandline -opc)[2..-1] (commandline -ct))'
""",
}
WAYS = {
    "bash": "source <(mintage completion bash), in ~/.bashrc",
    "zsh": "source <(mintage completion zsh), in ~/.zshrc after compinit",
    "fish": "mintage completion fish | source, in ~/.config/fish/config.fish",
}
_OPTION = re.compile(r'add_argument\((?:\s*"-\w",)?\s*"(--[a-z-]+)"')
_STAGE = re.compile(r"(?m)^  (\w+):$")
_SUBCOMMAND = re.compile(r"(?m)^def run_(\w+)")


def main(arguments: list[str]) -> int:
    """Print a shell's script, or what fits the words typed so far, and return the exit code."""
    from mintage.__main__ import refuse

    if arguments[:1] == ["--complete"]:
        print(*candidates(arguments[1:]), sep="\n")
        return 0
    if len(arguments) == 1 and arguments[0] in SCRIPTS:
        print(SCRIPTS[arguments[0]], end="")
        return 0
    ways = "\n".join(f"  {shell:5} {way}" for shell, way in WAYS.items())
    if arguments in (["-h"], ["--help"]):
        print(f"usage: mintage completion SHELL\n\nPrint what completes `mintage` in a shell:\n\n{ways}")
        return 0
    return refuse(f"`mintage completion` takes the name of one shell: {', '.join(SCRIPTS)}")


def candidates(words: list[str]) -> list[str]:
    """What may complete the last of the words after `mintage`; nothing if it is a file."""
    from mintage.__main__ import COMMANDS

    *before, typed = words or [""]
    if not before:
        known = list(COMMANDS)
    elif before[0] not in COMMANDS:
        known = []
    elif typed.startswith("-"):
        known = ["--help", *_OPTION.findall(_source(COMMANDS[before[0]].module))]
    else:
        known = _values(before[0])
    return sorted({name for name in known if name.startswith(typed)})


def _values(command: str) -> list[str]:
    """The names that a command takes."""
    if command == "run":
        return _STAGE.findall(re.split(r"(?m)^(?=\w)", _read(Path("dvc.yaml")).partition("\nstages:")[2])[0])
    if command == "families":
        from mintage.families import FAMILIES

        return list(FAMILIES)
    if command == "example":
        return [path.stem for path in Path("examples").glob("*.yaml")]
    if command == "releases":
        return _SUBCOMMAND.findall(_source("stages.releases"))
    return list(SCRIPTS) if command == "completion" else []


def _source(module: str) -> str:
    path = Path(__file__).resolve().parents[1].joinpath(*module.split("."))
    return _read(path / "__main__.py" if path.is_dir() else path.with_suffix(".py"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
