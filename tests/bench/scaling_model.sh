#!/bin/bash
# scaling_model.py on made-up rows: it finds the constants that they were made with, and predicts what can be said without it.
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/../cli/common.sh"
model=$here/../bench/scaling_model.py

# Two ranks with 24 images each, one thread. Where nothing is computed, an update is the bytes over the rate (here 100 MB/s, of which
# 80 % are reached): 40 MB each way are 1 s. Without a limit it is what a processor needs: 40 MB at 2 ns a byte on 2 cores.
names=link,ranks,threads,batch,depth_1,depth_2,depth_3,depth_4,pairs,parameters,images,waves,load,map_bytes,sum_bytes,spread_bytes,bucket_mb,buckets,with_seconds,without_seconds,forward_seconds,backward_seconds
{
    echo $names
    echo "800mbit,2,1,12,2,2,2,2,10,20e6,48,1,1,0,40e6,40e6,1,80,1.16,0,0,0"
    echo "400mbit,2,1,12,2,2,2,2,10,20e6,48,1,1,0,40e6,40e6,1,80,2.16,0,0,0"
    echo "unshaped,2,1,12,2,2,2,2,10,20e6,48,1,1,0,40e6,40e6,1,80,10.16,10,4,6"
    echo "unshaped,1,1,12,2,2,2,2,10,20e6,48,1,1,0,0,0,1,80,10,10,4,6"
} > rows.csv
python3 "$model" rows.csv --machine-cores 2 > fit.txt 2>&1 || fail "exit code $?: $(cat fit.txt)"
contains fit.txt "Fitted to 3 rows" "| 2 | 800mbit |"
awk '/^Fitted/ { found = $5 > 79 && $5 < 81 && $15 > 1.9 && $15 < 2.1 } END { exit !found }' fit.txt || fail "the constants: $(cat fit.txt)"
awk '/^Error:/ { found = $2 < 1 } END { exit !found }' fit.txt || fail "the error: $(cat fit.txt)"

hosts=(--cores 10 --thread-efficiency 1 --memory-bandwidth 1e30 --latency 0 --message-cost 0 --parameters 100e6 --map-bytes 0
    --image-gib 0.1 --memory-gib 100 --hosts "1,2,4,64" --batches 4)
predict() { # BANDWIDTH GFLOP
    python3 "$model" rows.csv --machine-cores 2 "${hosts[@]}" --bandwidth "$1" --core-gflops 10 --image-gflop "$2" > predicted.txt 2>&1 ||
        fail "exit code $?: $(cat predicted.txt)"
}
row() { # HOSTS COLUMN
    awk -F' *[|] *' -v hosts="$1" -v column="$2" '/^### Batch/ { on = 1 }
        on && /^[|] hosts/ { for (i = 1; i <= NF; i++) if ($i == column) at = i } on && $2 == hosts { print $at }' predicted.txt
}
close_to() { # WHAT GOT WANTED
    awk -v got="$2" -v wanted="$3" 'BEGIN { exit !(got != "" && got > 0.99 * wanted && got < 1.01 * wanted) }' ||
        fail "$1: '$2', not '$3': $(cat predicted.txt)"
}

name="links without an end"
predict 1e30 100 # an image takes a second
close_to "1 host" "$(row 1 "s an update")" 48
close_to "2 hosts" "$(row 2 "s an update")" 24.08 # and 2 ns x 400 MB on 10 cores
close_to "4 hosts" "$(row 4 efficiency | tr -d ' %')" 99
close_to "64 hosts: images" "$(row 64 "most images")" 1
close_to "bytes" "$(row 4 "MB sent")" 600
contains predicted.txt "Efficiency stays at 50 % or more"
name="nothing to compute"
predict 100e6 1e-9
close_to "sums" "$(row 2 sum)" 2
close_to "weights" "$(row 2 spread)" 2
contains predicted.txt "Efficiency falls below 50 % at 2 hosts"
name="half hidden" # the sum takes as long as the backward pass: the last encoder's last bucket at least is left
predict 6.25e6 100
awk -v got="$(row 2 sum)" 'BEGIN { exit !(got > 0.3 && got < 32 / 3 * 2) }' || fail "the sum: $(cat predicted.txt)"

name="wrong usage"
python3 "$model" rows.csv > usage.txt 2>&1
[ $? = 2 ] || fail "exit code without the cores"
python3 "$model" rows.csv --machine-cores 2 --image-gflop 1 > usage.txt 2>&1
[ $? = 2 ] || fail "exit code without constants"
contains usage.txt "predictions also need --core-gflops, --cores"
head -1 rows.csv > none.csv
python3 "$model" none.csv --machine-cores 2 > usage.txt 2>&1
[ $? = 1 ] || fail "exit code without rows"

finish
