#!/bin/sh
# usage: install.sh VENV GROUP [PYTHON]
# The packages of requirements/GROUP.txt in the virtual environment VENV, which is made where there is none, and made
# anew where its Python is gone, is none that will do, or is not PYTHON. Does nothing, and says nothing, where all is there.
venv=$1 group=$2 given=$3
here=$(dirname "$0")
is() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

have=$(is "$venv/bin/python")
case $have in
    3.11 | 3.12 | 3.13) [ -z "$given" ] || [ "$(is "$given")" = "$have" ] || wrong="is of Python $have" ;;
    '') [ ! -e "$venv" ] && [ ! -L "$venv" ] || wrong='is of a Python that is gone' ;;
    *) wrong="is of Python $have" ;;
esac
if [ -n "$wrong" ] || [ -z "$have" ]; then
    python=$(sh "$here/python.sh" "$given") || exit 2
    "$python" -c 'import ensurepip, venv' 2>/dev/null || {
        echo "error: $python cannot make a virtual environment: install its venv (Debian, Ubuntu: apt install python3-venv)" >&2
        exit 2
    }
    echo "$venv ${wrong:-is missing}: it is made${wrong:+ anew}"
    rm -rf "$venv"
    "$python" -m venv "$venv" || exit 2
fi
exec "$venv/bin/python" "$here/install.py" "$group"
