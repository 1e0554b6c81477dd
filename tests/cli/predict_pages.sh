#!/bin/bash
# The pages of predicted cases in a browser: nothing is fetched or run, they fit into narrow screens, heat can be hidden.
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
command -v chromium > /dev/null || { echo "skipped: there is no chromium"; exit 77; }
"$bin/../tests/unit/test_case_picture" "$scratch" || fail "no pages were drawn"
python3 "$here/predict_pages.py" usual.html hostile.html index.html || fail "predict_pages.py"

finish
