#!/usr/bin/env bash
# Is the exchange hidden? On hosts made of network namespaces (hosts.sh), with links so slow that what a rank sends for an update
# needs half as long as the backward pass: (a) updates as cmus-train makes them, (b) the same work without communication.
# Takes a few minutes for each number of hosts, and nothing else should run. Needs root.
#   tests/bench/hosts_scaling.sh [OPTION...] [KEY=VALUE...]
#   --build DIR    build folder with bin/ (default: build)
#   --hosts LIST   numbers of hosts (default: "2 4 8")
#   --pairs N      pairs of updates that count (default 10)
#   --slower F     the links F times as slow as that (default 1): how it gets worse
#   --csv FILE     rows of exchange_bench, appended (default: hosts_scaling.csv)
#   --in-step      barriers in (b) where (a) waits for other ranks: what comes of sharing the cores is then in both
#   --keep DIR     work there and keep it (default: a temporary folder)
#   KEY=VALUE      goes to exchange_bench, behind the keys of the number of hosts below
# Exit codes: 0 (all ratios at most 1.15), 1 (failed, or a ratio is larger), 2 (usage).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build hosts='2 4 8' pairs=10 slower=1 csv=hosts_scaling.csv keep='' keys=()
most=1.15

# Networks that fit eight times into this machine, with an update of seconds. Their first two stages are deep: much to compute
# for few parameters, so that moving the bytes costs the shared processors little of the time.
network_of() { # HOSTS
    case $1 in
        2) echo "embed_dim=48 heads=[2,4,8,16] batch=12 memory_gib=4 bucket_mb=4" ;;
        4) echo "embed_dim=32 heads=[1,2,4,8] batch=32 memory_gib=3" ;;
        *) echo "embed_dim=32 heads=[1,2,4,8] batch=$((8 * $1)) memory_gib=2" ;;
    esac
}

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'
    exit "$1"
}

die() { # EXIT_CODE MESSAGE
    echo "hosts_scaling.sh: $2" >&2
    exit "$1"
}

while [ $# -gt 0 ]; do
    case $1 in
        --build | --hosts | --pairs | --slower | --csv | --keep)
            [ $# -ge 2 ] || die 2 "$1 needs a value"
            printf -v "${1#--}" %s "$2"
            shift 2
            ;;
        --help) usage 0 ;;
        *=* | --in-step) keys+=("$1"); shift ;;
        *) die 2 "what is $1? See hosts_scaling.sh --help" ;;
    esac
done
[[ $hosts =~ ^([2-9]|[1-5][0-9])(\ ([2-9]|[1-5][0-9]))*$ ]] || die 2 "--hosts '$hosts': numbers from 2 to 59"
[[ $pairs =~ ^[1-9][0-9]{0,2}$ ]] || die 2 "--pairs $pairs: a whole number from 1"
[[ $slower =~ ^[0-9]*\.?[0-9]+$ ]] || die 2 "--slower $slower: a number"
[ "$(id -u)" -eq 0 ] || die 1 "network namespaces need root"
[ -x "$build/bin/exchange_bench" ] || die 1 "there is no $build/bin/exchange_bench; build first or give --build DIR"
bin=$(cd "$build/bin" && pwd)
csv=$(realpath -m "$csv")

up=no
finish() {
    [ "$up" = no ] || "$here/hosts.sh" down || true
    [ -n "$keep" ] || rm -rf "$work"
}
if [ -n "$keep" ]; then
    mkdir -p "$keep"
    work=$(cd "$keep" && pwd)
else
    work=$(mktemp -d)
fi
trap finish EXIT
trap 'exit 1' INT TERM

# One thread a rank; ranks that wait leave the cores to those that compute, as there are fewer cores than hosts.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive OMPI_MCA_mpi_yield_when_idle=1

if [ ! -f "$work/data/dataset.json" ]; then
    {
        "$bin/cmus-phantom" --cases 64 --bag 2,2 --seed 1 --out "$work/phantom" &&
            "$bin/cmus-pack" "$work/phantom/cases" --out "$work/data"
    } > "$work/log" 2>&1 || die 1 "no data set: $(tail -3 "$work/log")"
fi
# About 20 to 30 buckets, so that the first weights come and the last gradients leave soon, as with 41 of the full network.
cat > "$work/small.yaml" << 'END_OF_NETWORK'
depths: [12, 6, 2, 2]
max_tem: 2
head_relu: false
bucket_mb: 1
END_OF_NETWORK

bench() { # HOSTS PAIRS LINK [OPTION...]: what exchange_bench prints, on stdout
    local count=$1 updates=$(($2 + 2)) link=$3 network
    shift 3
    read -ra network <<< "$(network_of "$count")"
    "$here/hosts.sh" run "$count" "$bin/exchange_bench" "$updates" "$work/data" "$work/small.yaml" "${network[@]}" \
        "${keys[@]}" --link "$link" "$@" 2> "$work/errors" || die 1 "$count hosts: $(tail -5 "$work/errors")"
}

value() { # FILE NAME: of a line of exchange_bench
    awk -v name="$2" 'index($0, name "  ") == 1 { print $NF; found = 1 } END { exit !found }' "$1" ||
        die 1 "'$2' is not in what exchange_bench printed"
}

worst=0
for count in $hosts; do
    "$here/hosts.sh" up "$count"
    up=yes
    bench "$count" 4 unshaped --csv "$csv" > "$work/unshaped-$count.txt"
    backward=$(value "$work/unshaped-$count.txt" "backward in (b), s")
    sum=$(value "$work/unshaped-$count.txt" "bytes of a sum from a rank")
    spread=$(value "$work/unshaped-$count.txt" "bytes of a spread from a rank")
    pushed=$("$here/hosts.sh" run "$count" "$bin/allreduce_bench" 16 2> "$work/errors" | awk '{ print 2 * ($2 - 1) / $2 * $4 / $6 }') ||
        die 1 "$count hosts: $(tail -5 "$work/errors")"
    rate=$(awk -v bytes="$sum" -v more="$spread" -v time="$backward" -v slower="$slower" \
        'BEGIN { rate = (bytes + more) * 8e-6 / (time / 2) / slower; printf "%d", rate < 1 ? 1 : rate + 0.5 }')
    "$here/hosts.sh" up "$count" --rate "${rate}mbit"
    bench "$count" "$pairs" "${rate}mbit" --csv "$csv" > "$work/shaped-$count.txt"
    cat "$work/shaped-$count.txt"
    ratio=$(value "$work/shaped-$count.txt" "(a) / (b), median of pairs")
    backward=$(value "$work/shaped-$count.txt" "backward in (b), s")
    awk -v count="$count" -v rate="$rate" -v pushed="$pushed" -v bytes="$sum" -v more="$spread" -v backward="$backward" \
        -v ratio="$ratio" -v most=$most 'BEGIN {
            printf "%d hosts: links of %.1f MB/s (without a limit a sum sends %.0f MB/s), ", count, rate / 8, pushed
            printf "on which the bytes take %.2f of the backward pass: ", (bytes + more) * 8e-6 / rate / backward
            printf "ratio %.4f, %s %.2f\n\n", ratio, ratio <= most ? "at most" : "MORE THAN", most
        }'
    worst=$(awk -v a="$worst" -v b="$ratio" 'BEGIN { print (a > b ? a : b) }')
done
awk -v worst="$worst" -v most=$most 'BEGIN { exit !(worst <= most) }'
