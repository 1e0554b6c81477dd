#!/usr/bin/env bash
# Cross-validations through submit-cv.sh on a real Slurm of two nodes (slurm.sh): undisturbed; with folds that are stopped, killed,
# requeued and lose a node; cancelled, continued and with a damaged shard. All end with the same numbers.
#   run.sh BUILD [--measure]     --measure: instead, how long a start and a requeue take (results/cluster.md)
# Exit code 77: not tested, with the reason.
if [ $# = 0 ]; then
    echo "usage: run.sh BUILD [--measure]" >&2
    exit 2
fi
top=$(cd "$(dirname "$0")/../.." && pwd)
slurm=$top/tests/cluster/slurm.sh
# shellcheck source=tests/cli/common.sh
. "$top/tests/cli/common.sh"
cluster=$scratch/slurm
folds=(0 1 2 3 4)

skip() {
    echo "SKIPPED: $*"
    exit 77
}

say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

leave() { # what a failure left is kept where CMUS_TEST_KEEP says
    "$slurm" stop "$cluster"
    [ "$failures" = 0 ] || [ -z "${CMUS_TEST_KEEP:-}" ] || cp -r "$scratch/." "$CMUS_TEST_KEEP"
    cd /
    rm -rf "$scratch"
}

start_cluster() {
    local command
    [ "$(id -u)" = 0 ] || skip "a Slurm of two nodes needs root"
    for command in slurmctld slurmd sbatch munged unshare nsenter; do
        PATH=$PATH:/usr/sbin command -v $command > /dev/null || skip "no $command (jobs/install-packages.sh cluster)"
    done
    export PATH=$PATH:/usr/sbin
    unshare --uts --mount true 2> log || skip "no namespaces here: $(cat log)"
    trap leave EXIT
    trap 'exit 130' INT TERM HUP
    "$slurm" start "$cluster" --while $$ "$scratch" "$top" "$bin" > environment || { echo "no cluster"; exit 1; }
    . ./environment
    # Ranks of several folds share this machine's cores, which mpirun does not know of.
    cat > site.conf << END
site_bin='$bin'
site_nodes=2
site_setup() { export OMPI_MCA_mpi_yield_when_idle=1 OMP_WAIT_POLICY=passive; }
END
    export CMUS_SITE_CONF=$scratch/site.conf
}

make_data() {
    {
        "$bin/cmus-phantom" --cases 40 --size 64 --seed 3 phantom && "$bin/cmus-pack" phantom/cases --out "my data" --size 64
    } > log 2>&1 || { cat log; echo "no data set"; exit 1; }
    cat > tiny.yaml << END
embed_dim: 8
depths: [2, 2, 2, 2]
heads: [1, 2, 4, 8]
image_size: 64
fusion_hidden: 16
head_relu: false
batch: 3
epochs: 30
lr: 2e-4
drop_path: 0.2
memory_gib: 1
END
}

# --- what is going on

wait_for() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        if [ $SECONDS -ge $end ]; then
            fail "waited too long for: $*: $(squeue -r 2>&1)"
            return 1
        fi
        sleep 0.05
    done
}

submit() { # ARGUMENTS...: sets array and report, the jobs
    "$top/jobs/submit-cv.sh" "$@" > submit.log 2>&1 || { fail "submit-cv.sh: exit code $?: $(cat submit.log)"; return 1; }
    array=$(submitted train_job)
    report=$(submitted report_job)
}

submitted() { # KEY of the last entry of $run/jobs.json
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["submissions"][-1][sys.argv[2]])' "$run/jobs.json" "$1"
}

about() { # JOB KEY
    scontrol -o show job "$1" 2> /dev/null | sed -n "s/^\(.* \)\?$2=\([^ ]*\).*/\2/p" | head -n 1
}

is() { # JOB STATE...
    local job=$1
    shift
    [[ " $* " == *" $(about "$job" JobState) "* ]]
}

ended() { is "$1" COMPLETED FAILED CANCELLED TIMEOUT NODE_FAIL OUT_OF_MEMORY; }

steps() { # FOLD: updates so far
    { cat "$run/fold-$1/steps.csv" 2> /dev/null || echo; } | tail -n +2 | wc -l
}

reached() { # UPDATES FOLD...: all of these folds
    local updates=$1 fold
    shift
    for fold; do
        [ "$(steps "$fold")" -ge "$updates" ] || return 1
    done
}

finished() { # FOLD...
    local fold
    for fold; do
        [ -f "$run/fold-$fold/MANIFEST.sha256" ] || return 1
    done
}

count() { # FOLD PATTERN: lines in its log
    grep -c -- "$2" "$run/logs/fold-$1.log"
}

ranks() { # NODE FOLD: process ids of its ranks of $run there
    "$slurm" processes "$cluster" "$1" "^$bin/cmus-train .*--fold $2 .*--out $run "
}

time_is_up() { # JOB: what Slurm does before the time limit
    # scancel takes this signal for refused though it has arrived, and would send it again for minutes, to the next start too.
    timeout 2 scancel --quiet --signal=USR1 --batch "$1" 2> /dev/null || true
}

# --- checks

report_is_made() {
    wait_for 120 ended "$report" || return
    is "$report" COMPLETED || fail "the report's job is $(about "$report" JobState): $(tail -n 20 "$run/logs/aggregate.log")"
    [ -s "$run/report/report.html" ] || fail "no report"
}

numbers() { # RUN: of its report, without the folder's name
    cat "$1/report/summary.csv" && grep -v '"path"' "$1/report/summary.json"
}

same_as_undisturbed() {
    local fold table
    [ "$(numbers "$undisturbed")" = "$(numbers "$run")" ] || fail "the report's numbers differ from the undisturbed run's"
    for fold in "${folds[@]}"; do
        for table in predictions.csv final/weights.safetensors; do
            cmp "$undisturbed/fold-$fold/$table" "$run/fold-$fold/$table" || fail "fold $fold: $table differs from the undisturbed run's"
        done
        cmp <(cut -d, -f1-4 "$undisturbed/fold-$fold/steps.csv") <(cut -d, -f1-4 "$run/fold-$fold/steps.csv") ||
            fail "fold $fold: updates differ from the undisturbed run's"
    done
}

restarted() { # FOLD STARTS ENDS
    local fold=$1
    marks "$@"
    [ "$(count "$fold" 'resumed from .* after')" = $(($2 - 1)) ] || fail "fold $fold: not every later start resumed from a checkpoint"
    [ "$(about "${array}_$fold" Restarts)" = $(($2 - 1)) ] || fail "fold $fold: Slurm counts $(about "${array}_$fold" Restarts) restarts"
}

# --- scenarios

new_run() { # NAME: the name is no number of the report, and the same for all
    mkdir -p "$scratch/$1"
    run="$scratch/$1/cross validation"
}

run_undisturbed() {
    local fold
    name="undisturbed run"
    new_run undisturbed
    undisturbed=$run
    submit tiny.yaml "my data" "$run" --folds 5 --nodes 2 --max-parallel 5 || return
    report_is_made
    for fold in "${folds[@]}"; do
        python3 -c 'import json, sys; sys.exit(json.load(open(sys.argv[1]))["hosts"] != ["n1", "n2"])' "$run/fold-$fold/run.json" ||
            fail "fold $fold: its ranks were not on n1 and n2"
    done
    for fold in "${folds[@]}"; do
        status "$fold" finished
    done
    say "$name: done"
}

run_disturbed() {
    local before frozen killed fold
    name="disturbed run"
    new_run disturbed
    submit tiny.yaml "my data" "$run" --nodes 2 --max-parallel 5 || return
    wait_for 60 reached 30 "${folds[@]}" || return
    # Slurm looks for a batch job on a node that came back only if it began some seconds before.
    wait_for 20 has_run "${array}_2" 6 || return
    say "all folds are in the middle"
    # fold 2 waits until the others are out of the way, so that it alone is on the node that fails
    frozen=$(ranks n1 2; ranks n2 2)
    killed=$(ranks n2 4)
    before=$(steps 3)
    # shellcheck disable=SC2086 # ids
    kill -STOP $frozen
    kill -KILL "$killed"
    scontrol requeue "${array}_3"
    scancel --signal=KILL "${array}_1.0"
    time_is_up "${array}_0"
    for fold in 0 1 3 4; do
        wait_for 20 is "${array}_$fold" PENDING || return
    done
    finished 2 && fail "fold 2 was not stopped in time"
    "$slurm" kill "$cluster" n1
    sleep 0.5
    "$slurm" boot "$cluster" n1 || fail "n1 does not come back"
    wait_for 30 is "${array}_2" PENDING || return
    say "all folds are in the queue again"
    wait_for 60 reached $((before + 5)) 3 || return
    scontrol requeue "${array}_3"
    report_is_made
    restarted 0 2 2
    restarted 1 2 2
    restarted 2 2 1
    restarted 3 3 3
    restarted 4 2 2
    same_as_undisturbed
    say "$name: done"
}

has_run() { # JOB SECONDS
    local began
    began=$(about "$1" StartTime) && [ $(($(date +%s) - $(date -d "$began" +%s))) -gt "$2" ]
}

marks() { # FOLD STARTS ENDS: in its log
    [ "$(count "$1" '^== start ')" = "$2" ] || fail "fold $1: $(count "$1" '^== start ') starts, not $2"
    [ "$(count "$1" '^== end: ')" = "$3" ] || fail "fold $1: $(count "$1" '^== end: ') ends, not $3"
}

status() { # FOLD STATE: what cv-status.sh says of it
    "$top/jobs/cv-status.sh" "$run" > status.log 2>&1 || fail "cv-status.sh: exit code $?: $(cat status.log)"
    grep -Eq "^ *$1 +$2 " status.log || fail "cv-status.sh does not say that fold $1 is $2: $(cat status.log)"
}

flip_byte() { # FILE: in its middle, which is in an image
    python3 -c 'import os, sys
with open(sys.argv[1], "r+b") as file:
    file.seek(os.path.getsize(sys.argv[1]) // 2)
    byte = file.read(1)[0]
    file.seek(-1, 1)
    file.write(bytes([byte ^ 1]))' "$1"
}

second_job() { # on fold 0, which is being trained
    local job began
    job=$(sbatch --parsable --nodes=2 --ntasks-per-node=1 --mem=100M --output=second.log --wrap ". '$top/jobs/mpi-environment.sh'
        mpirun --map-by ppr:1:node --bind-to none '$bin/cmus-train' '$run/config.yaml' --data '$data' --fold 0 --out '$run' --resume")
    wait_for 30 ended "$job" || return
    finished 0 && fail "the second job came too late"
    [ "$(about "$job" ExitCode)" = 1:0 ] || fail "a second job on a fold: exit code $(about "$job" ExitCode): $(cat second.log)"
    began=$(sed -n 's/^== start 1 .*, \([0-9-]*\)T.*/\1/p' "$run/logs/fold-0.log")
    contains second.log "$run/fold-0: host n1, process " "job Slurm ${array}_0 trains it since $began"
}

nothing_runs() { # neither jobs nor ranks
    [ -z "$(squeue -h)" ] && [ -z "$("$slurm" processes "$cluster" n1 cmus-train; "$slurm" processes "$cluster" n2 cmus-train)" ]
}

run_cancelled() {
    local fold
    name="cancelled run"
    new_run damaged
    data=$scratch/data
    cp -r "my data" "$data"
    submit tiny.yaml "$data" "$run" --nodes 2 --max-parallel 4 || return
    cancelled=$array
    wait_for 60 reached 5 0 1 2 3 || return
    second_job
    "$top/jobs/submit-cv.sh" --continue "$run" > submit.log 2>&1 || fail "--continue of a run that runs: $(cat submit.log)"
    [[ "$(submitted train_job) $(submitted folds)" =~ ^($array |None \[\]) ]] || fail "--continue submitted what is in the queue: $(cat submit.log)"
    finished 0 && fail "fold 0 was finished before it could be cancelled"
    eval "$(submitted cancel)"
    wait_for 30 nothing_runs || return
    for fold in "${folds[@]}"; do
        is "${array}_$fold" CANCELLED || fail "fold $fold is $(about "${array}_$fold" JobState)"
    done
    say "$name: done"
}

run_damaged() {
    local fold shard=$data/shard-00000.h5
    name="damaged run"
    submit --continue "$run" || return
    [ "$(submitted folds)" = "[0, 1, 2, 3, 4]" ] || fail "--continue submitted $(submitted folds)"
    scontrol hold "${array}_4"
    wait_for 90 finished 0 1 2 3 || return
    flip_byte "$shard"
    scontrol release "${array}_4"
    wait_for 60 ended "$report" || return
    is "$report" FAILED || fail "the report's job is $(about "$report" JobState)"
    contains "$run/logs/aggregate.log" "fold 4 is not finished" "$shard"
    grep -q "fold [0-3] is not finished" "$run/logs/aggregate.log" && fail "folds are blamed that are finished"
    [ ! -e "$run/report/summary.json" ] || fail "a report in spite of it"
    marks 4 2 2
    status 0 finished
    status 4 failed
    say "$name: the report's job failed"
    flip_byte "$shard"
    submit --continue "$run" || return
    [ "$(submitted folds)" = "[4]" ] || fail "--continue submitted $(submitted folds)"
    report_is_made
    same_as_undisturbed
    for fold in "${folds[@]}"; do
        is "${cancelled}_$fold" CANCELLED || fail "the cancelled fold $fold came back"
    done
    say "$name: done"
}

# --- measurements, in milliseconds

now() { echo $((${EPOCHREALTIME/./} / 1000)); }

until_seen() { # COMMAND...: the time
    local end=$((SECONDS + 120))
    until "$@"; do
        [ $SECONDS -lt $end ] || break
        sleep 0.002
    done
    now
}

logged() { # PATTERN COUNT: so many such lines in the log of fold 0
    [ -e "$run/logs/fold-0.log" ] && [ "$(count 0 "$1")" -ge "$2" ]
}

rank_on() { # NODE
    [ -n "$(ranks "$1" 0)" ]
}

rows() { # NAME COLUMNS...: a row of the table, from the medians of the columns of the file times
    local column
    printf '| %s |' "$1"
    shift
    for column; do
        printf ' %s |' "$(cut -d' ' -f"$column" times | sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }')"
    done
    echo
}

measure() {
    local repetition sent returned begun launched step ended updates
    name="measurement"
    for repetition in 1 2 3 4 5; do
        new_run "start-$repetition"
        sent=$(now)
        submit tiny.yaml "my data" "$run" --folds 5 --nodes 2 --max-parallel 1 epochs=2000 || return
        returned=$(now)
        begun=$(until_seen logged '^== start ' 1)
        launched=$(until_seen rank_on n2)
        step=$(until_seen reached 1 0)
        echo "$((returned - sent)) $((begun - returned)) $((launched - begun)) $((step - launched)) $((step - sent))" >> starts
        # folds that wait would take the place of the one that is requeued
        scontrol hold "${array}_[1-4]"
        [ "$repetition" = 5 ] || { eval "$(submitted cancel)"; wait_for 30 nothing_runs; }
    done
    for repetition in 1 2 3 4 5; do
        wait_for 30 reached $(($(steps 0) + 20)) 0 || return
        sent=$(now)
        time_is_up "${array}_0"
        ended=$(until_seen logged '^== end: exit code 75' "$repetition")
        updates=$(steps 0)
        begun=$(until_seen logged '^== start ' $((repetition + 1)))
        launched=$(until_seen rank_on n2)
        step=$(until_seen reached $((updates + 1)) 0)
        echo "$((ended - sent)) $((begun - ended)) $((launched - begun)) $((step - launched)) $((step - sent))" >> requeues
    done
    eval "$(submitted cancel)"
    wait_for 30 nothing_runs
    echo "Milliseconds, the median of 5; $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg) at the end; cred_expire 5 s"
    echo "| | to the end of submit-cv.sh or of the stopped fold | Slurm starts the job | mpirun starts the ranks | the first update | in all |"
    echo "|---|--:|--:|--:|--:|--:|"
    mv starts times && rows "from submit-cv.sh to the first update" 1 2 3 4 5
    mv requeues times && rows "from USR1 to the next update" 1 2 3 4 5
}

start_cluster
make_data
say "the cluster is up, the data is made"
if [ "${2:-}" = --measure ]; then
    measure
    finish
fi
run_undisturbed
[ "$failures" = 0 ] || finish # there is nothing to compare with
run_disturbed
run_cancelled
run_damaged
finish
