#!/usr/bin/env bash
# Trains the folds of a cross-validation as jobs of Slurm, with the report behind them.
set -euo pipefail
program=submit-cv.sh
made_by=$program
directory=$PWD
# shellcheck source=jobs/run-folder.sh
. "$(dirname "${BASH_SOURCE[0]}")/run-folder.sh"
# shellcheck source=jobs/prepare-run.sh
. "$jobs_folder/prepare-run.sh"

help_text() {
  cat <<'HELP'
Usage: submit-cv.sh CONFIG DATA RUN [OPTION...] [KEY=VALUE...]
       submit-cv.sh --continue RUN [OPTION...]

Trains every fold of DATA (by cmus-pack) with CONFIG as a job of Slurm and makes the report when all have ended:
RUN/report/report.html. Everything is checked first; the ids of the jobs and the commands to watch and to cancel them are
printed and kept in RUN/jobs.json. All output of fold N is in RUN/logs/fold-N.log; cv-status.sh RUN shows where the folds
are. A fold that meets its time limit, is preempted or loses a node goes on from its checkpoint. The same command again,
or --continue, submits what is neither finished nor in the queue. KEY=VALUE overrides a key of CONFIG
(cmus-train --help-config).

  --folds K             folds, if DATA has no splits.csv yet (5); else it must be that of splits.csv
  --repeats R           repeats of the cross-validation, likewise (1)
  --split-seed S        seed of the splits, if they are made (0)
  --init FILE           weights to start from, as for cmus-train
  --grid KEY=V,V...     a run RUN/KEY=V,KEY=V/ for every combination of the values of the KEYs that follow, up to the next
                        option, and one report that compares them
  --nodes N             nodes of a fold (site.conf)
  --ntasks-per-node M   ranks on each node (site.conf)
  --cpus-per-task T     threads of each rank (site.conf)
  --mem SIZE            memory of each node, as for sbatch (site.conf: what the ranks need, and a little more)
  --time TIME           time limit of one start of a fold, such as 4:00:00 (the cluster's); a fold may take longer
  --signal-seconds S    how long before the time limit a fold writes its checkpoint and ends, to be queued again (180)
  --max-parallel M      folds of a run at a time (2)
  --partition P         partition (site.conf)
  --account A           account (site.conf)
  --continue RUN        submits what is missing of RUN; options from --nodes on may be given anew
  --dry-run             checks, prints the commands of sbatch, and writes nothing
  --help                this text

What differs between clusters is in jobs/site.conf, or in the file that the environment variable CMUS_SITE_CONF names.
Exit code: 0 submitted, or nothing was missing; 1 refused, with the reason; 2 wrong usage.
HELP
}

common_options() { # sets options: of both kinds of job
  options=(--parsable "--chdir=$directory" "--job-name=$(job_name)" "${site_sbatch_options[@]}")
  [ -z "$partition" ] || options+=("--partition=$partition")
  [ -z "$account" ] || options+=("--account=$account")
  [ -z "$time_limit" ] || options+=("--time=$time_limit")
}

training_command() { # FOLDS...: sets command
  local options indices asked=$memory
  common_options
  if [ -z "$asked" ] && [ "$site_memory" = auto ] && [ "$memory_bytes" -gt 0 ]; then
    asked=$((tasks * memory_bytes * 11 / 10485760 + 64))M
  fi
  [ -z "$asked" ] || options+=("--mem=$asked")
  indices=$(IFS=, && echo "$*")
  [ $# -ne $((folds * repeats)) ] || indices=0-$(($# - 1))
  command=(sbatch "${options[@]}" "--array=$indices%$max_parallel" "--nodes=$nodes" "--ntasks-per-node=$tasks"
    "--cpus-per-task=$cpus" --requeue --open-mode=append "--signal=B:USR1@$signal_seconds"
    "--output=${run//%/%%}/logs/fold-%a.log" "$jobs_folder/train-fold.slurm" "$run")
}

report_command() { # JOBS...: after which it runs; sets command
  local options after=$*
  common_options
  [ -z "$after" ] || options+=("--dependency=afterany:${after// /:}")
  command=(sbatch "${options[@]}" --nodes=1 --ntasks=1 --open-mode=append "--output=${run//%/%%}/logs/aggregate.log"
    "$jobs_folder/aggregate.slurm" "$run")
}

submit() { # NAME, which stands for the id in a dry run: submits the command and sets job
  local answer
  if [ -n "$dry_run" ]; then
    print_command "${command[@]}"
    job=$1
    return
  fi
  answer=$("${command[@]}") || return 1
  job=${answer##*$'\n'}
  job=${job%%;*}
  [[ $job =~ ^[0-9]+$ ]] || { echo "$program: sbatch answered '$answer', which is no job id; see squeue" >&2; return 1; }
}

record_submission() { # TRAIN_JOB FOLDS REPORT_JOB: adds an entry to jobs.json, which cancels all of the run, or grid
  local entries=() cancel
  all_jobs+=(${1:+"$1"} "$3")
  cancel="scancel ${all_jobs[*]}"
  [ ! -e "$run/jobs.json" ] || mapfile -t entries < <(sed -n 's/^    \({.*}\),\{0,1\}$/\1/p' "$run/jobs.json")
  entries+=("{\"time\": $(json_text "$(now)"), \"train_job\": ${1:-null}, \"folds\": [${2// /, }], \"report_job\": $3,\
 \"watch\": $(json_text "$watch"), \"cancel\": $(json_text "$cancel")}")
  {
    printf '{\n  "run": %s,\n  "submissions": [\n    %s' "$(json_text "$run")" "${entries[0]}"
    [ ${#entries[@]} -eq 1 ] || printf ',\n    %s' "${entries[@]:1}"
    printf '\n  ]\n}\n'
  } | write_file "$run/jobs.json"
  echo "to watch:  $watch"
  echo "to cancel: $cancel"
}

# Sets queue, queued_arrays and queued_report, of $run. A dry run goes without Slurm.
read_queue() {
  queue='' queued_arrays=() queued_report=''
  [ -e "$run/jobs.json" ] || return 0
  [ -z "$dry_run" ] || command -v squeue >/dev/null || return 0
  queue=$(queue_of_run) || die "squeue does not say what is still in the queue; try again when Slurm answers"
  mapfile -t queued_arrays < <(awk -F'|' '$1 != "" && $2 != "N/A" && !seen[$1]++ {print $1}' <<<"$queue")
  queued_report=$(awk -F'|' '$2 == "N/A" {job = $1} END {print job}' <<<"$queue")
  all_jobs+=("${queued_arrays[@]}")
}

choose_folds() { # sets missing, neither finished nor in the queue, and active, in the queue
  local n
  missing=() active=()
  for n in $(unfinished_folds); do
    if grep -q "^[0-9]*|$n|" <<<"$queue"; then
      active+=("$n")
    else
      missing+=("$n")
    fi
  done
}

# The report's job for $run, after JOBS and what is in the queue. One that waits already is replaced.
submit_report() { # JOBS...
  report_command "${queued_arrays[@]}" "$@"
  if ! submit REPORT_JOB; then
    [ -z "${train_job:-}" ] || scancel "$train_job"
    die "$run: sbatch refused the report's job; its message is above${train_job:+, and the folds were cancelled}"
  fi
  [ -n "$dry_run" ] || [ -z "$queued_report" ] || scancel "$queued_report" || true
}

# Submits what is missing of one run.
submit_run() { # RUN ...
  local run=$1 train_job='' watch n
  printf -v watch '%q %q' "$jobs_folder/cv-status.sh" "$run"
  read_queue
  choose_folds
  if [ ${#missing[@]} -eq 0 ] && [ ${#active[@]} -eq 0 ] && [ -f "$run/report/report.html" ]; then
    echo "$run: finished; its report is $run/report/report.html"
    return
  fi
  [ ${#active[@]} -eq 0 ] || echo "$run: folds in the queue already, left alone: ${active[*]}"
  if [ ${#missing[@]} -eq 0 ] && [ -n "$queued_report" ]; then
    echo "$run: the report's job $queued_report is in the queue already"
    reports+=("$queued_report")
    all_jobs+=("$queued_report")
    return
  fi
  trap '' INT TERM HUP # what is submitted must be in jobs.json, or it would be submitted again
  if [ ${#missing[@]} -gt 0 ]; then
    [ -n "$dry_run" ] || for n in "${missing[@]}"; do rm -f -- "$run/logs/fold-$n.failures"; done
    training_command "${missing[@]}"
    submit TRAIN_JOB || die "$run: sbatch refused the folds; its message is above"
    train_job=$job
  fi
  submit_report ${train_job:+"$train_job"}
  reports+=("$job")
  submitted=yes
  if [ -n "$dry_run" ]; then
    trap - INT TERM HUP
    return
  fi
  [ -z "$train_job" ] || echo "$run: job $train_job trains ${#missing[@]} folds: ${missing[*]}"
  echo "$run: job $job makes the report"
  record_submission "$train_job" "${missing[*]}" "$job"
  trap - INT TERM HUP
}

adjust_site() {
  : # as it is
}

default_cpus() {
  echo "$site_cpus_per_task"
}

read_arguments "$@"
if [ -n "$dry_run" ]; then
  prepare
else
  prepare sbatch squeue scancel
fi
reports=() all_jobs=() submitted=''
for_each_run submit_run
if is_grid; then
  read_queue
  [ -n "$submitted$queued_report" ] || [ -f "$run/report/report.html" ] || submitted=yes
fi
if is_grid && [ -n "$submitted" ]; then
  printf -v watch '%q %q' "$jobs_folder/cv-status.sh" "$run"
  submit_report "${reports[@]}"
  if [ -z "$dry_run" ]; then
    echo "$run: job $job compares the points"
    record_submission "" "" "$job"
  fi
fi
