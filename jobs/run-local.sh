#!/usr/bin/env bash
# Trains the folds of a cross-validation on this machine and makes the report.
set -euo pipefail
program='run-local.sh'
made_by=$program
# shellcheck disable=SC2034 # for job.conf
directory=$PWD
# shellcheck source=jobs/run-folder.sh
. "$(dirname "${BASH_SOURCE[0]}")/run-folder.sh"
# shellcheck source=jobs/prepare-run.sh
. "$jobs_folder/prepare-run.sh"

help_text() {
  cat <<'HELP'
Usage: run-local.sh CONFIG DATA RUN [OPTION...] [KEY=VALUE...]
       run-local.sh --continue RUN [OPTION...]

Trains every fold of DATA (by cmus-pack) with CONFIG on this machine, some at a time, and makes the report:
RUN/report/report.html. Everything is checked first. All output of fold N is in RUN/logs/fold-N.log; cv-status.sh RUN
shows where the folds are. Ctrl-C (also TERM, HUP, USR1) lets every fold write a checkpoint and end; the same command
again, or --continue, goes on from there. A fold that fails is started again from its checkpoint. KEY=VALUE overrides a
key of CONFIG (cmus-train --help-config).

  --folds K             folds, if DATA has no splits.csv yet (5); else it must be that of splits.csv
  --repeats R           repeats of the cross-validation, likewise (1)
  --split-seed S        seed of the splits, if they are made (0)
  --init FILE           weights to start from, as for cmus-train
  --grid KEY=V,V...     a run RUN/KEY=V,KEY=V/ for every combination of the values of the KEYs that follow, up to the next
                        option, and one report that compares them
  --nodes N             a fold has N * M ranks, all of them here, as it would have on a cluster (site.conf)
  --ntasks-per-node M   (site.conf)
  --cpus-per-task T     threads of each rank (the cores of this machine, divided by the ranks of the folds at a time)
  --max-parallel M      folds at a time (2)
  --continue RUN        trains what is missing of RUN; options from --nodes on may be given anew
  --dry-run             checks, prints the commands, and writes nothing
  --help                this text
  --time, --partition, --account, --mem, --signal-seconds: accepted for the sake of submit-cv.sh, and ignored

Programs and their set-up are named in jobs/site.conf, or in the file that the environment variable CMUS_SITE_CONF names.
Exit code: 0 done; 1 refused, or a fold or the report failed, with the reason; 2 wrong usage; 75 interrupted.
HELP
}

adjust_site() { # after the site's settings were read
  [ "$(basename -- "${site_launcher[0]}")" = srun ] || return 0
  echo "$program: $site_file names srun, which is Slurm's: mpirun is taken here" >&2
  site_launcher=(mpirun)
}

default_cpus() {
  local cores at_a_time=$((nodes * tasks * max_parallel))
  cores=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)
  echo $((cores > at_a_time ? cores / at_a_time : 1))
}

say() { # TEXT...: nobody may be there to read it any more, when the terminal was closed
  echo "$(date +%H:%M:%S) $*" || true
}

# Folds that wait for their turn: waiting_run and waiting_fold, side by side. Folds that run: by the process id of their mpirun.
waiting_run=() waiting_fold=()
declare -A active_run=() active_fold=() active_before=()
stopped=0 failed=0

add_missing() { # RUN ...
  local run=$1 n
  for n in $(unfinished_folds); do
    rm -f -- "$run/logs/fold-$n.failures"
    waiting_run+=("$run") waiting_fold+=("$n")
  done
}

name_fold() { # of $run
  [ -z "$grid_folder" ] || printf '%s, ' "$(basename -- "$run")"
  fold_title "$1"
}

start_next() {
  local n=${waiting_fold[0]} before
  load_run "${waiting_run[0]}"
  waiting_run=("${waiting_run[@]:1}") waiting_fold=("${waiting_fold[@]:1}")
  before=$(checkpoint_step "$n")
  begin_fold "$n" "$(hostname)" "process $$" >>"$run/logs/fold-$n.log" 2>&1
  active_run[$fold_process]=$run active_fold[$fold_process]=$n active_before[$fold_process]=$before
  say "$(name_fold "$n"): started${before:+ from update $before}; its output is in $run/logs/fold-$n.log"
}

collect() { # PROCESS that has ended
  local n=${active_fold[$1]} log text
  load_run "${active_run[$1]}"
  log=$run/logs/fold-$n.log
  end_of_fold "$1"
  judge_fold "$n" "$code" "${active_before[$1]}" "$stop"
  unset "active_run[$1]" "active_fold[$1]" "active_before[$1]"
  text=$verdict${reason:+: $reason}
  case $verdict in
    again)
      waiting_run=("$run" "${waiting_run[@]}") waiting_fold=("$n" "${waiting_fold[@]}")
      text="requeued: $reason" ;;
    stopped) stopped=$((stopped + 1)) ;;
    failed) failed=$((failed + 1)) ;;
  esac
  mark "end: exit code $code: $text, $(now)" >>"$log"
  [ "$verdict" = finished ] || [ "$verdict" = stopped ] || text+=" ($(last_error "$log"))"
  say "$(name_fold "$n"): $text"
}

request_stop() { # SIGNAL
  [ -n "$stop" ] || say "$1: every fold writes a checkpoint and ends; please wait"
  stop=$1
}

train_all() {
  local process
  while [ ${#active_run[@]} -gt 0 ] || { [ ${#waiting_run[@]} -gt 0 ] && [ -z "$stop" ]; }; do
    while [ -z "$stop" ] && [ ${#waiting_run[@]} -gt 0 ] && [ ${#active_run[@]} -lt "$max_parallel" ]; do
      start_next
    done
    sleep 0.3 || true # ended by Ctrl-C
    for process in "${!active_run[@]}"; do
      kill -0 "$process" 2>/dev/null || collect "$process"
    done
    [ ${#active_run[@]} -eq 0 ] || pass_on_stop "${!active_run[@]}"
  done
}

show_commands() { # RUN ...: for --dry-run
  local run=$1 n
  for n in $(unfinished_folds); do
    print_command "${launch[@]}" "$bin/cmus-train" "$config" "${@:2}" --data "$data" --fold $((n % folds)) \
      --repeat $((n / folds)) --out "$run" --resume ${init:+--init "$init"}
  done
  print_command "$bin/cmus-report" "$run" --out "$run/report"
}

report_point() { # RUN ...
  (
    load_run "$1"
    report_run
  ) || failed=$((failed + 1))
}

stop=
read_arguments "$@"
[ ${#ignored[@]} -eq 0 ] || echo "$program: ignored, as they are Slurm's: ${ignored[*]}" >&2
# shellcheck disable=SC2034 # for job.conf
time_limit='' partition='' account='' memory='' signal_seconds=''
# shellcheck disable=SC2119 # it needs no more programs
prepare
launch=("${site_launcher[@]}" --oversubscribe --bind-to none -np $((nodes * tasks)))
export OMP_NUM_THREADS=$cpus
if [ -n "$dry_run" ]; then
  for_each_run show_commands
  exit
fi
whole=$run
for_each_run add_missing
trap : PIPE
for signal in INT TERM HUP USR1; do
  # shellcheck disable=SC2064 # the name of now
  trap "request_stop $signal" $signal
done
say "${#waiting_run[@]} folds to train, $max_parallel at a time, ranks of a fold: $((nodes * tasks)), threads of a rank: $cpus"
train_all
load_run "$whole"
if [ -n "$stop" ] && [ $((stopped + ${#waiting_run[@]})) -gt 0 ]; then
  say "interrupted with $((stopped + failed + ${#waiting_run[@]})) folds to go; go on by: $(continue_command)"
  exit $CODE_STOPPED
fi
for_each_run report_point
if is_grid; then
  report_point "$whole"
fi
[ "$failed" = 0 ] || exit 1
say "done: $whole/report/report.html"
