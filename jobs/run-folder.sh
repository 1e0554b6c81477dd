# shellcheck shell=bash disable=SC2034,SC2154 # variables of job.conf, and of those who source this
# Sourced by every script that makes, trains or shows a RUN: what lies in the folder, how a fold is started, watched and
# judged, and the report. The caller sets $program, the name for messages.
#
#   RUN/config.yaml      the configuration at submission; every start uses this copy
#   RUN/job.conf         bash assignments: data, folds, programs and so on (write_run in prepare-run.sh)
#   RUN/jobs.json        an entry a submission: job ids, commands to watch and to cancel
#   RUN/logs/fold-N.log  all output of a fold; each start and end is marked by a line that begins with "== "
#   RUN/logs/fold-N.failures  starts in a row that ended without a new checkpoint, while there are any
#   RUN/fold-N/          by cmus-train; N = repeat * folds + fold, which is also the index in the Slurm array
#   RUN/report/          by cmus-report
# A grid's folder holds job.conf, jobs.json, logs/, report/ and a RUN for each point, named lr=1e-5,distance_t=2.

jobs_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly CODE_DONE=0 CODE_USAGE=2 CODE_STOPPED=75 # of cmus-train
readonly KILLED_BY_USR1=138                       # the request to stop came before cmus-train listened to it
readonly STOPS_IN_A_ROW=5                         # without a new checkpoint; then the time limit is too short

die() { # MESSAGE...: a failure that is not the user's wording
  echo "$program: $*" >&2
  exit 1
}

usage_error() { # MESSAGE...
  echo "$program: $*" >&2
  echo "Try '$program --help'." >&2
  exit 2
}

absolute_path() { # PATH, which need not exist, but its folder must: the path from the root, symbolic links kept
  local folder
  folder=$(cd "$(dirname -- "$1")" 2>/dev/null && pwd) || die "$1: its folder does not exist; make it or correct the path"
  case $(basename -- "$1") in
    /) echo / ;;
    .) echo "$folder" ;;
    ..) dirname -- "$folder" ;;
    *) echo "${folder%/}/$(basename -- "$1")" ;;
  esac
}

write_file() { # PATH: from standard input, whole or not at all
  local temporary="$1.tmp"
  { cat >"$temporary" && mv -f -- "$temporary" "$1"; } || die "$1 can't be written: is the disk full?"
}

now() {
  date +%Y-%m-%dT%H:%M:%S
}

load_site() { # FILE, or nothing for the one beside this: the site's settings, and its commands are run
  site_file=${1:-$jobs_folder/site.conf}
  [ -r "$site_file" ] || die "$site_file: the site's settings can't be read; correct CMUS_SITE_CONF"
  site_file=$(absolute_path "$site_file")
  site_partition='' site_account='' site_nodes=1 site_tasks_per_node=1 site_cpus_per_task=1 site_sbatch_options=()
  site_memory=auto site_bin='' site_launcher=(mpirun) site_binding=auto site_retries=1
  unset -f site_setup
  set +eu # what sites run here is not written for it
  # shellcheck source=jobs/site.conf
  . "$site_file"
  ! declare -F site_setup >/dev/null || site_setup
  local code=$?
  set -eu
  [ "$code" = 0 ] || die "$site_file: site_setup failed with exit code $code; mend its commands"
  # shellcheck source=jobs/mpi-environment.sh
  . "$jobs_folder/mpi-environment.sh"
}

load_run() { # RUN: sets its variables
  run=$1
  [ -r "$run/job.conf" ] || die "$run/job.conf can't be read: $run is no folder of submit-cv.sh or run-local.sh"
  points=() grid_folder=
  # shellcheck disable=SC1091
  . "$run/job.conf"
}

is_grid() {
  [ ${#points[@]} -gt 0 ]
}

fold_finished() { # N
  [ -f "$run/fold-$1/MANIFEST.sha256" ]
}

unfinished_folds() { # one a line
  local n
  for ((n = 0; n < folds * repeats; n++)); do
    fold_finished "$n" || echo "$n"
  done
}

fold_title() { # N
  if [ "$repeats" = 1 ]; then
    echo "fold $1"
  else
    echo "fold $1 (repeat $(($1 / folds)), fold $(($1 % folds)))"
  fi
}

checkpoint_step() { # N: updates in its newest checkpoint
  { cat "$run/fold-$1"/last*/state.json 2>/dev/null || true; } | sed -n 's/^ *"step": *\([0-9]*\).*/\1/p' | sort -n | tail -n 1
}

last_error() { # LOG: what the last start said before it ended, without what cmus-train says when all is well
  [ -r "$1" ] || return 0
  awk '/^== start /{own = ""; other = ""; fatal = ""}
       /^cmus-[a-z]*: fatal/ && fatal == "" {fatal = $0}
       /^cmus-[a-z]*: / && !/^cmus-[a-z]*: (warning|time|epoch|fold [0-9]+ of|[0-9]+|resumed|trained|held-out|stopped)[ :]/ {own = $0}
       /^(slurmstepd|srun|mpirun): |^mpirun noticed|rror/ {other = $0}
       END {print fatal != "" ? fatal : own != "" ? own : other}' "$1"
}

json_text() { # TEXT: as a string of JSON
  local text=$1
  text=${text//\\/\\\\} text=${text//\"/\\\"} text=${text//$'\n'/\\n} text=${text//$'\t'/\\t}
  printf '"%s"' "$text"
}

job_name() { # of all jobs of $run
  local name
  name=$(basename -- "$run")
  echo "cmus-${name//[^A-Za-z0-9.=_-]/_}"
}

# What Slurm has of this run: ARRAY_JOB|TASK|STATE|NODES|REASON, a line each; TASK is N/A for the report's job. Fails if
# Slurm does not answer.
queue_of_run() {
  local ids
  ids=$(grep -o '"\(train\|report\)_job": [0-9]*' "$run/jobs.json" 2>/dev/null | tr -cs 0-9 ' ') || return 0
  squeue --noheader --array "--name=$(job_name)" --format='%F|%K|%T|%N|%r' |
    awk -F'|' -v ids="$ids" 'BEGIN {split(ids, list, " "); for (i in list) ours[list[i]] = 1} $1 in ours'
}

mark() { # TEXT: a line in the log of a fold
  printf '== %s\n' "$*"
}

# Training one fold. The caller sets launch (the launcher with its options) and stop when it shall end, and calls, with
# standard output going to the log: begin_fold, which sets fold_process; wait_for_fold, which sets code; judge_fold.
begin_fold() { # N HOSTS JOB
  local n=$1 starts
  local arguments=("$run/config.yaml" "${overrides[@]}" --data "$data" --fold $((n % folds)) --repeat $((n / folds))
    --out "$run" --resume)
  [ -z "$init" ] || arguments+=(--init "$init")
  starts=$(grep -c '^== start ' "$run/logs/fold-$n.log" 2>/dev/null) || starts=${starts:-0}
  mark "start $((starts + 1)) of fold $n on $2, job $3, $(now)"
  # A session of its own: Ctrl-C in a terminal must not reach mpirun, which would kill its ranks.
  setsid "${launch[@]}" "$bin/cmus-train" "${arguments[@]}" </dev/null &
  fold_process=$!
}

# The request to stop is sent again and again: the first may come before mpirun or its ranks listen.
next_request=0 first_request=
pass_on_stop() { # PROCESSES...
  [ -n "$stop" ] && [ "$SECONDS" -ge $next_request ] || return 0
  next_request=$((SECONDS + 10)) first_request=${first_request:-$SECONDS}
  kill -USR1 "$@" 2>/dev/null || true
}

end_of_fold() { # PROCESS that has ended: sets code
  code=0
  wait "$1" || code=$?
}

# A fold that is still staging, or whose update and checkpoint take longer than there is time, is ended shortly before
# Slurm would end the whole job, which could not be queued again any more: it goes on from its last checkpoint.
wait_for_fold() {
  local forced=
  while kill -0 "$fold_process" 2>/dev/null; do
    pass_on_stop "$fold_process"
    if [ -z "$forced" ] && [ -n "$first_request" ] && [ $((SECONDS - first_request)) -gt $((signal_seconds * 5 / 6)) ]; then
      mark "no end in time: ended without a new checkpoint; a larger --signal-seconds may help"
      kill -TERM "$fold_process" 2>/dev/null || true
      forced=yes
    fi
    sleep 0.5 &
    wait $! || true # ended by the trap of a signal
  done
  end_of_fold "$fold_process"
  [ -z "$forced" ] || code=$CODE_STOPPED # as it was asked to
}

# After a start that ended in an orderly way, with its own lock removed. One that lost a node may have left its own.
locked_by_another() { # N
  local lock=$run/fold-$1.lock
  [ -e "$lock" ] || return 1
  [ -z "${SLURM_JOB_ID:-}" ] || ! grep -q "\"job_id\": *\"$SLURM_JOB_ID\"" "$lock"
}

# verdict: finished, again (start it once more), stopped (as asked: it may go on later) or failed.
judge_fold() { # N CODE BEFORE STOPPED: exit code, updates in the checkpoint at its start, not empty if it was told to stop
  local n=$1 code=$2 before=${3:-0} stopped=$4 after failures=0 file=$run/logs/fold-$1.failures
  after=$(checkpoint_step "$n")
  [ "$code" = $KILLED_BY_USR1 ] && [ -n "$stopped" ] && code=$CODE_STOPPED
  if [ "$code" = $CODE_DONE ]; then
    rm -f -- "$file"
    verdict=finished reason=
    return
  fi
  if [ "$code" = $CODE_USAGE ]; then
    verdict=failed reason="wrong usage is not tried again"
    return
  fi
  if [ "$code" = 1 ] && locked_by_another "$n"; then # who moves its checkpoint
    verdict=failed reason="another job has its lock, $run/fold-$n.lock"
    return
  fi
  if [ "${after:-0}" -gt "$before" ]; then
    rm -f -- "$file"
    verdict=again reason="continues after update $after"
  else
    read -r failures 2>/dev/null <"$file" || true
    [[ $failures =~ ^[0-9]+$ ]] || failures=0 # a disk that was full may have left it empty
    failures=$((failures + 1))
    echo "$failures" | write_file "$file"
    verdict=again reason="no new checkpoint, start $failures in a row"
    if [ "$code" = $CODE_STOPPED ] && [ "$failures" -gt $STOPS_IN_A_ROW ]; then
      verdict=failed reason="stopped $failures times in a row without a new checkpoint: give it more --time"
    elif [ "$code" != $CODE_STOPPED ] && [ "$failures" -gt "${CMUS_RETRIES:-$site_retries}" ]; then
      verdict=failed reason="failed $failures times in a row without a new checkpoint"
    fi
  fi
  if [ "$verdict" = again ] && [ "$code" = $CODE_STOPPED ] && [ -n "$stopped" ]; then
    verdict=stopped
  fi
}

report_run() { # of $run; if that fails, says what is wrong with each fold, and what to do, and returns 1
  local point folders=()
  for point in "${points[@]}"; do
    folders+=("$run/$point")
  done
  is_grid || folders=("$run")
  "$bin/cmus-report" "${folders[@]}" --out "$run/report" && return
  explain_failure >&2
  return 1
}

explain_failure() {
  local n log text
  echo "$program: no report of $run"
  if is_grid; then
    echo "$program: what is missing is said in the reports of the points; then: $(continue_command)"
    return
  fi
  for n in $(unfinished_folds); do
    log=$run/logs/fold-$n.log
    text=$(last_error "$log")
    echo "$program: $(fold_title "$n") is not finished: $(last_mark "$n")"
    echo "    ${text:-it has said nothing} ($log)"
  done
  echo "$program: mend what is named, then train what is missing: $(continue_command)"
}

last_mark() { # N
  local line
  line=$(grep '^== ' "$run/logs/fold-$1.log" 2>/dev/null | tail -n 1) || line='== never started'
  echo "${line#== }"
}

continue_command() { # to be typed by the user
  printf '%q --continue %q\n' "$jobs_folder/$made_by" "$run"
}
