#!/usr/bin/env bash
# Data sets that lack a modality or are compressed: packed, read again, split; training refuses them or takes them.
#   pack_data.sh BUILD
set -euo pipefail
# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$0")/common.sh"
config=$here/../../configs/quickstart.yaml

expect() { # EXIT_CODE TEXT COMMAND...: the code, and the text among what it says
    local code=$1 text=$2 got=0
    shift 2
    "$@" >said 2>&1 || got=$?
    [ "$got" = "$code" ] || fail "exit code $got instead of $code: $*: $(cat said)"
    contains said "$text"
}
# shellcheck disable=SC2317 # called by expect
check() { # DATA: what training says of it
    env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "$bin/cmus-train" --check "$config" --data "$1" \
        --fold 0 --out run
}

"$bin/cmus-phantom" drawn --cases 9 --size 56 2>/dev/null
for modalities in om,im,tem om,im im,tem tem; do
    name=$modalities
    expect 0 "9 cases" "$bin/cmus-pack" drawn/cases --out "$modalities" --size 56 --modalities "$modalities"
    expect 0 "every checksum holds" "$bin/cmus-pack" --verify "$modalities"
    expect 0 "fold" "$bin/cmus-split" "$modalities" --folds 3 --seed 1
done
name=training
expect 0 "" check om,im,tem
expect 1 "om,im: the data set lacks TEM images" check om,im
expect 1 "im,tem: the data set lacks OM images" check im,tem
expect 1 "tem: the data set lacks OM IM images" check tem

name=compression
expect 0 "9 cases" "$bin/cmus-pack" drawn/cases --out packed --size 56 --compress=6
expect 0 "every checksum holds" "$bin/cmus-pack" --verify packed
expect 0 "fold" "$bin/cmus-split" packed --folds 3 --seed 1
expect 0 "" check packed
[ "$(stat -c %s packed/shard-00000.h5)" -lt "$(stat -c %s om,im,tem/shard-00000.h5)" ] || fail "it is no smaller"
finish
