# shellcheck shell=bash
# Sourced by tests of cmus-report that change tables.
edit() { # FILE PYTHON: changes the list `rows` of lists of cells
    python3 - "$1" "$2" <<'PYTHON'
import csv, sys
with open(sys.argv[1], encoding="utf-8", newline="") as file:
    rows = list(csv.reader(file))
exec(sys.argv[2])
with open(sys.argv[1], "w", encoding="utf-8", newline="") as file:
    csv.writer(file, lineterminator="\n").writerows(rows)
PYTHON
}
