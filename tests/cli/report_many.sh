#!/bin/bash
# cmus-report on 1,000,000 predictions in 50 folds: under 60 seconds and 2 GiB, on two cores that nobody else uses.
. "$(dirname "$0")/common.sh"
python3 "$here/report_folds.py" run --folds 50 --cases 20000 || fail "report_folds.py"
python3 - "$bin/cmus-report" <<'PYTHON' || fail "time, memory or exit code"
import resource, subprocess, sys, time
begin = time.monotonic()
code = subprocess.call([sys.argv[1], "run", "--out", "out"])
seconds = time.monotonic() - begin
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{seconds:.1f} s, {used.ru_utime + used.ru_stime:.1f} s of processor time, {used.ru_maxrss / 2**20:.2f} GiB")
sys.exit(code or seconds >= 60 or used.ru_maxrss >= 2 * 2**20)
PYTHON
contains out/report.html "of 200 draws"
[ "$(stat -c %s out/report.html)" -lt 50000000 ] || fail "the page has $(stat -c %s out/report.html) bytes"
finish
