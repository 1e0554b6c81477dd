#!/bin/bash
# The scripts in jobs/ that train a cross-validation, without Slurm: wrong use, a dry run, refusals, the commands that
# sbatch gets (a stand-in keeps them), and run-local.sh to its report, also with interruptions, a killed rank, a fold that
# fails, repeats and a grid. Every path has blanks.
# shellcheck source=tests/cli/train_common.sh
. "$(dirname "$0")/train_common.sh"
jobs=$(cd "$here/../../jobs" && pwd)
mkdir "here & there" && cd "here & there" || exit 1
top=$PWD
make_data 18
mv data "my data"
cat > "site 1.conf" << END
site_bin=$(printf %q "$bin")
site_partition=day
site_sbatch_options=(--qos=long "--comment=two words")
END
export CMUS_SITE_CONF="$top/site 1.conf" OMP_NUM_THREADS=1
submit=$jobs/submit-cv.sh
run_here=$jobs/run-local.sh

gives() { # CODE COMMAND...: its output is in the file log
    local wanted=$1
    shift
    "$@" > log 2>&1
    local code=$?
    [ $code = "$wanted" ] || fail "exit code $code, not $wanted, of $(basename "$1") ${*:2}: $(tail -n 5 log)"
}

says() { # TEXT...
    contains log "$@"
}

predictions() { # RUN
    (cd "$1" && cat fold-*/predictions.csv && grep -v '^run,' report/summary.csv | cut -d, -f2-)
}

same() { # RUN RUN: the same numbers, to the last digit
    cmp <(predictions "$1") <(predictions "$2") > log 2>&1 || fail "$1 and $2 differ: $(cat log)"
}

name="wrong use"
for program in "$submit" "$run_here"; do
    gives 0 "$program" --help
    says --max-parallel --continue --grid "Exit code"
    gives 2 "$program" tiny.yaml "my data"
    says "RUN are needed"
    gives 2 "$program" tiny.yaml "my data" run --fold 3
    says "unknown option --fold" --help
    gives 2 "$program" tiny.yaml "my data" run --nodes
    says "--nodes needs a value"
    for wrong in --nodes=0 --nodes=1x --folds=1 --repeats= --max-parallel=-2 --cpus-per-task=99999999999 --time=soon \
        --time=1:2:3:4 --grid --grid=lr --grid=lr=1,,2 --grid=lr=1,1 "--grid=depths=[2,2]" --partition= lr= --bogus=1; do
        gives 2 "$program" tiny.yaml "my data" run "$wrong"
    done
    gives 2 "$program" tiny.yaml "my data" run lr=1 --grid lr=1,2
    says "lr is given twice"
    gives 2 "$program" --continue run epochs=3
    gives 1 "$program" --continue run
    says "job.conf can't be read"
    gives 1 "$program" nothing.yaml "my data" run
    says "nothing.yaml: the configuration can't be read"
    gives 1 "$program" tiny.yaml phantom run
    says "dataset.json is missing"
    gives 1 "$program" tiny.yaml "my data" absent/run
    says "absent/run: its folder does not exist"
done
gives 2 "$submit" tiny.yaml "my data" run --time 2:00 --dry-run
says "--signal-seconds 180"
gives 2 "$jobs/cv-status.sh"
gives 1 "$jobs/cv-status.sh" "my data"
says "no folder of submit-cv.sh"

name="dry run"
find . | sort > "$scratch/before"
gives 0 "$submit" tiny.yaml "my data" "run 1" epochs=2 --nodes 2 --ntasks-per-node 3 --cpus-per-task 4 --time 1:00:00 \
    --max-parallel 2 --dry-run
says "sbatch --parsable" --array=0-2%2 --nodes=2 --ntasks-per-node=3 --cpus-per-task=4 --time=1:00:00 --requeue \
    --signal=B:USR1@180 --open-mode=append "--output=$top/run 1/logs/fold-%a.log" --partition=day --qos=long \
    "'--comment=two words'" --dependency=afterany:TRAIN_JOB "/aggregate.slurm '$top/run 1'" --mem=
gives 0 "$submit" tiny.yaml "my data" "run 1" --grid lr=1e-4,2e-4 distance_t=1,2 --dry-run epochs=2
[ "$(grep -c train-fold.slurm log)" = 4 ] || fail "not four points"
says "lr=2e-4,distance_t=1/logs/fold-%a.log" "/aggregate.slurm '$top/run 1'"
gives 0 "$run_here" tiny.yaml "my data" "run 1" --dry-run
gives 1 "$submit" tiny.yaml "my data" "run 1" --dry-run epochs=0
says "run 1: cmus-train refuses it" epochs
gives 1 "$submit" tiny.yaml "my data" "run 1" --dry-run --folds 5
says "has 3 folds and 1 repeats, not 5"
find . | sort | diff "$scratch/before" - > "$scratch/log" || fail "something was written: $(cat "$scratch/log")"

name="programs"
echo "site_bin='$top'" > none.conf
CMUS_SITE_CONF=none.conf gives 1 "$submit" tiny.yaml "my data" "run 1" --dry-run
says "programs are missing" none.conf
CMUS_SITE_CONF=absent.conf gives 1 "$submit" tiny.yaml "my data" "run 1" --dry-run
says "absent.conf"
echo 'site_setup() { false; }' > none.conf
CMUS_SITE_CONF=none.conf gives 1 "$submit" tiny.yaml "my data" "run 1" --dry-run
says "site_setup failed"

name="undisturbed"
gives 0 "$run_here" tiny.yaml "my data" whole epochs=4 --time 9:00:00 --account me
says "ignored, as they are Slurm's: --time --account" "done: $top/whole/report/report.html"
contains whole/report/summary.csv fusion
contains whole/logs/fold-2.log "== start 1 of fold 2 on " "== end: exit code 0: finished"
gives 0 "$jobs/cv-status.sh" whole
[ "$(grep -c '^[012]  *finished  *4/4 ' log)" = 3 ] || fail "cv-status: $(cat log)"
# Nobody reads what it says: it trains all the same.
rm whole/fold-1/MANIFEST.sha256
"$run_here" tiny.yaml "my data" whole epochs=4 2> log | true
[ -f whole/fold-1/MANIFEST.sha256 ] || fail "its output was closed: $(cat log)"
gives 0 "$run_here" tiny.yaml "my data" whole epochs=4
says "0 folds to train"

name="refusals"
gives 1 "$run_here" tiny.yaml "my data" whole epochs=5
says "is another run: overrides: epochs=4  there, epochs=5  here"
sed 's/lr: .*/lr: 1e-4/' tiny.yaml > other.yaml
gives 1 "$submit" other.yaml "my data" whole epochs=4 --dry-run
says "config.yaml is not $top/other.yaml"
gives 1 "$run_here" tiny.yaml "my data" phantom
says "holds files, but no run"
gives 1 "$run_here" tiny.yaml "my data" tiny.yaml
says "is a file"

wait_for_updates() { # TABLE COUNT
    for _ in $(seq 600); do
        [ -f "$1" ] && [ "$(wc -l < "$1")" -gt "$2" ] && return
        sleep 0.05
    done
    fail "$1 never had $2 updates"
}

name="interruption"
# As a terminal does it: SIGINT for the whole group of processes.
env --default-signal=INT setsid "$run_here" tiny.yaml "my data" broken epochs=4 > log 2>&1 &
process=$!
wait_for_updates broken/fold-0/steps.csv 5
kill -INT -- -$process
wait $process
code=$?
[ $code = 75 ] || fail "exit code $code after Ctrl-C"
says "fold 0: stopped: continues after update" "go on by: $run_here --continue"
gives 0 "$jobs/cv-status.sh" broken
grep -q '^0  *stopped ' log || fail "cv-status: $(cat log)"
grep -q '^2  *waiting ' log || fail "cv-status: $(cat log)"
# Going on, with a rank of the next fold killed in the middle.
"$run_here" --continue broken > log 2>&1 &
process=$!
wait_for_updates broken/fold-2/steps.csv 7
kill -KILL "$(pgrep -P "$(pgrep -P $process -f -- "--fold 2 ")" cmus-train)"
wait $process || fail "exit code $? after going on: $(cat log)"
says "fold 0: started from update" "fold 2: requeued" "on signal 9"
contains broken/logs/fold-0.log "start 2 of fold 0"
same whole broken

name="a fold that fails"
mkdir "bin 2" && ln -s "$bin"/cmus-{report,split} "bin 2"
cat > "bin 2/cmus-train" << END
#!/bin/bash
case "\$*" in
    *--check*) ;;
    *"--fold 1 "*) echo "cmus-train: shard-0007.h5: damaged" >&2; exit 1 ;;
esac
exec $(printf %q "$bin")/cmus-train "\$@"
END
chmod +x "bin 2/cmus-train"
echo "site_bin='$top/bin 2'" > failing.conf
CMUS_SITE_CONF=failing.conf gives 1 "$run_here" tiny.yaml "my data" failing epochs=4
says "fold 1: requeued" "fold 1: failed" "fold 1 is not finished" "shard-0007.h5: damaged" "--continue"
gives 0 "$jobs/cv-status.sh" failing
grep -q '^1  *failed .*shard-0007.h5: damaged' log || fail "cv-status: $(cat log)"
[ "$(grep -c '^[02]  *finished ' log)" = 2 ] || fail "the other folds: $(cat log)"
gives 0 "$run_here" --continue failing
says "1 folds to train"
same whole failing

name="a fold that another job trains"
"$run_here" tiny.yaml "my data" twice epochs=40 --max-parallel 1 > first.log 2>&1 &
process=$!
wait_for_updates twice/fold-0/steps.csv 1
"$run_here" --continue twice > log 2>&1 &
second=$!
for _ in $(seq 200); do
    grep -q "fold 0: failed" log && break
    sleep 0.05
done
kill -USR1 $process $second
wait $process
wait $second
says "fold 0: failed: another job has its lock"

name="repeats"
mkdir "no folds" && cp "my data"/dataset.json "my data"/*.h5 "my data"/MANIFEST.sha256 "no folds"
gives 0 "$submit" tiny.yaml "no folds" repeated --folds 2 --repeats 2 --split-seed 5 --dry-run
says "cmus-split '$top/no folds' --folds=2 --repeats=2 --seed=5" --array=0-3%2
[ ! -e "no folds/splits.csv" ] || fail "--dry-run made splits"
gives 0 "$run_here" tiny.yaml "no folds" repeated --folds 2 --repeats 2 epochs=1
says "repeated: 4 folds"
gives 0 "$jobs/cv-status.sh" repeated
says "3 (repeat 1, fold 1)"

name="grid"
gives 0 "$run_here" tiny.yaml "my data" grid --grid lr=1e-4,2e-4 --max-parallel 3 epochs=1
[ -f grid/lr=1e-4/report/report.html ] || fail "a point has no report"
[ -f grid/lr=2e-4/fold-2/MANIFEST.sha256 ] || fail "a fold of a point is missing"
contains grid/report/report.html "<h2>Comparison</h2>" "<h2>lr=2e-4</h2>"
gives 0 "$jobs/cv-status.sh" grid
[ "$(grep -c '^[012]  *finished ' log)" = 6 ] || fail "cv-status: $(cat log)"
gives 1 "$run_here" tiny.yaml "my data" grid epochs=1 --grid lr=1e-4,3e-4
says "is another run: grid"

name="submission"
mkdir fake
cat > fake/sbatch << 'END'
#!/bin/bash
printf '%s\n' "$@" > "$FAKE/sbatch-$(ls "$FAKE" | grep -c '^sbatch-')"
[ ! -e "$FAKE/refuse" ] || { echo "sbatch: error: no such account" >&2; exit 1; }
ls "$FAKE" | grep -c '^sbatch-'
END
cat > fake/squeue << 'END'
#!/bin/bash
cat "$FAKE/queue"
END
cat > fake/scancel << 'END'
#!/bin/bash
echo "$@" >> "$FAKE/cancelled"
END
chmod +x fake/*
export FAKE="$top/captured" PATH="$top/fake:$PATH"
mkdir captured
touch captured/queue
gives 0 "$submit" tiny.yaml "my data" jobs epochs=4 --max-parallel 1
says "job 1 trains 3 folds: 0 1 2" "job 2 makes the report" "to cancel: scancel 1 2" cv-status.sh
grep -qxF -- --array=0-2%1 captured/sbatch-0 || fail "the array: $(cat captured/sbatch-0)"
grep -qxF -- "$top/jobs" captured/sbatch-0 || fail "RUN is no word of its own"
grep -qxF -- --dependency=afterany:1 captured/sbatch-1 || fail "the dependency: $(cat captured/sbatch-1)"
printf '%s\n' '1|0|PENDING||BeginTime' '1|1|RUNNING|n7|None' '2|N/A|PENDING||Dependency' '9|2|RUNNING|n8|None' > captured/queue
gives 0 "$jobs/cv-status.sh" jobs
grep -q '^0  *waiting .* BeginTime' log || fail "cv-status: $(cat log)"
grep -q '^1  *running ' log || fail "cv-status: $(cat log)"
grep -q '^2  *failed .* not in the queue' log || fail "cv-status: $(cat log)"
gives 0 "$submit" --continue jobs --time 3:00:00
says "in the queue already, left alone: 0 1" "job 3 trains 1 folds: 2"
grep -qxF -- --array=2%1 captured/sbatch-2 || fail "the array: $(cat captured/sbatch-2)"
grep -qxF -- --time=3:00:00 captured/sbatch-3 || fail "the time: $(cat captured/sbatch-3)"
grep -qxF -- --dependency=afterany:1:3 captured/sbatch-3 || fail "the dependency: $(cat captured/sbatch-3)"
[ "$(cat captured/cancelled)" = 2 ] || fail "the first report's job was not replaced"
says "to cancel: scancel 1 3 4"
printf '%s\n' '1|0|PENDING||BeginTime' '1|1|RUNNING|n7|None' '3|2|RUNNING|n8|None' '4|N/A|PENDING||Dependency' > captured/queue
gives 0 "$submit" --continue jobs
says "left alone: 0 1 2" "report's job 4 is in the queue already"
[ ! -e captured/sbatch-4 ] || fail "it was submitted again"
python3 - << 'END' || fail "jobs.json: $(cat jobs/jobs.json)"
import json, sys
entries = json.load(open("jobs/jobs.json"))["submissions"]
sys.exit([(e["train_job"], e["folds"], e["report_job"]) for e in entries] != [(1, [0, 1, 2], 2), (3, [2], 4)])
END
gives 0 "$submit" tiny.yaml "my data" "grid 2" --grid lr=1e-4,2e-4
says "grid 2: job 9 compares the points" "to cancel: scancel 5 6 7 8 9"
grep -qxF -- --dependency=afterany:6:8 captured/sbatch-8 || fail "the dependency: $(cat captured/sbatch-8)"
printf '#!/bin/bash\nprintf "Avail\\n1000000\\n"\n' > fake/df
chmod +x fake/df
gives 1 "$submit" tiny.yaml "my data" full
says "3 folds need up to" "0 MiB are free"
[ ! -e full ] || fail "a refused RUN was made"
rm fake/df
touch captured/refuse
gives 1 "$submit" tiny.yaml "my data" refused
says "sbatch refused the folds" "no such account"

name="a fold that does not end in time"
(
    program=test signal_seconds=2 stop=USR1
    . "$jobs/run-folder.sh"
    bash -c 'trap "" USR1; touch deaf; while :; do sleep 0.1; done' &
    fold_process=$!
    until [ -e deaf ]; do sleep 0.1; done
    began=$SECONDS
    wait_for_fold > forced.log
    [ "$code" = "$CODE_STOPPED" ] && [ $((SECONDS - began)) -lt 20 ]
) || fail "it was not ended, or not as one that was asked to stop"
contains forced.log "no end in time"

name="an empty count of failures"
mkdir -p counted/logs
: > counted/logs/fold-0.failures
bash -eu -c 'program=test run=counted site_retries=1
    . "$1/run-folder.sh"
    judge_fold 0 1 "" ""
    [ "$verdict" = again ]' test "$jobs" || fail "it ends the script"
[ "$(cat counted/logs/fold-0.failures)" = 1 ] || fail "it is not counted on"

finish
