#!/bin/sh
# usage: python.sh [PYTHON]
# Prints the Python to work with: PYTHON where it is named, else the first of the usual names that is 3.11, 3.12 or 3.13.
# Each is started, not only looked for: a version manager puts names on PATH for Pythons that are not there. Of one in a
# virtual environment it is the Python that the environment was made with, which outlives it.
ask() { "$1" -c "import sys; print($2)" 2>/dev/null; }

found=
try() {
    known=$(ask "$1" '"%d.%d.%d" % sys.version_info[:3]') || return 1
    case $known in
        3.11.* | 3.12.* | 3.13.*) ask "$1" 'getattr(sys, "_base_executable", sys.executable)' && exit ;;
    esac
    found="$found${found:+, }$1 is $known"
}

if [ -n "$1" ]; then
    try "$1" || found="$1 cannot be started"
else
    for name in python3.11 python3.12 python3.13 python3 python; do try "$name"; done
fi
echo "error: Python 3.11, 3.12 or 3.13 is needed (${found:-none is here}): install one, or name it: make PYTHON=/path/to/python3.12" >&2
exit 2
