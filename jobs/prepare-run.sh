# shellcheck shell=bash disable=SC2034,SC2154 # variables of those who source this
# Sourced by submit-cv.sh and run-local.sh after run-folder.sh: their arguments, which are the same, the checks before
# anything starts, and the making of a RUN.

read_arguments() {
  positional=() overrides=() grid=() points=() ignored=()
  folds='' repeats='' split_seed='' nodes='' tasks='' cpus='' time_limit='' partition='' account='' memory='' init=''
  max_parallel='' signal_seconds='' dry_run='' continued='' grid_given=''
  local option value in_grid=''
  while [ $# -gt 0 ]; do
    option=$1
    shift
    case $option in
      --help | -h) help_text; exit 0 ;;
      --dry-run) dry_run=yes; in_grid=''; continue ;;
      --grid) grid_given=yes in_grid=yes; continue ;;
      --grid=*) grid_given=yes in_grid=yes; grid+=("${option#*=}"); continue ;;
      --*=*) value=${option#*=} option=${option%%=*} ;;
      --folds | --repeats | --split-seed | --nodes | --ntasks-per-node | --cpus-per-task | --time | --partition | \
        --account | --mem | --max-parallel | --signal-seconds | --init | --continue)
        [ $# -gt 0 ] || usage_error "$option needs a value"
        value=$1
        shift ;;
      -*) usage_error "unknown option $option" ;;
      *)
        if [ -n "$in_grid" ]; then
          grid+=("$option")
        elif [[ $option =~ ^[a-z][a-z0-9_]*= ]]; then
          overrides+=("$option")
        else
          positional+=("$option")
        fi
        continue ;;
    esac
    in_grid=''
    case $option in
      --folds) folds=$(whole_number "$option" "$value" 2 1000) ;;
      --repeats) repeats=$(whole_number "$option" "$value" 1 1000) ;;
      --split-seed) split_seed=$(whole_number "$option" "$value" 0 2147483647) ;;
      --nodes) nodes=$(whole_number "$option" "$value" 1 100000) ;;
      --ntasks-per-node) tasks=$(whole_number "$option" "$value" 1 10000) ;;
      --cpus-per-task) cpus=$(whole_number "$option" "$value" 1 10000) ;;
      --max-parallel) max_parallel=$(whole_number "$option" "$value" 1 100000) ;;
      --signal-seconds) signal_seconds=$(whole_number "$option" "$value" 1 65535) ;;
      --time) time_seconds "$value" >/dev/null; time_limit=$value ;;
      --partition) partition=$(not_empty "$option" "$value") ;;
      --account) account=$(not_empty "$option" "$value") ;;
      --mem) memory=$(not_empty "$option" "$value") ;;
      --init) init=$(not_empty "$option" "$value") ;;
      --continue) continued=$(not_empty "$option" "$value") ;;
      *) usage_error "unknown option $option" ;;
    esac
    case $option in
      --time | --partition | --account | --mem | --signal-seconds) ignored+=("$option") ;;
    esac
  done
  check_arguments
}

whole_number() { # OPTION VALUE LEAST MOST
  if ! [[ $2 =~ ^[0-9]{1,10}$ ]] || [ $((10#$2)) -lt "$3" ] || [ $((10#$2)) -gt "$4" ]; then
    usage_error "$1 $2: a whole number from $3 to $4 is expected"
  fi
  echo $((10#$2))
}

not_empty() { # OPTION VALUE
  [ -n "$2" ] || usage_error "$1 needs a value"
  echo "$2"
}

time_seconds() { # TIME in one of Slurm's forms
  local part='([0-9]{1,6})' days=0 hours=0 minutes=0 seconds=0
  if [[ $1 =~ ^$part-$part(:$part(:$part)?)?$ ]]; then
    days=${BASH_REMATCH[1]} hours=${BASH_REMATCH[2]} minutes=${BASH_REMATCH[4]:-0} seconds=${BASH_REMATCH[6]:-0}
  elif [[ $1 =~ ^$part:$part:$part$ ]]; then
    hours=${BASH_REMATCH[1]} minutes=${BASH_REMATCH[2]} seconds=${BASH_REMATCH[3]}
  elif [[ $1 =~ ^$part(:$part)?$ ]]; then
    minutes=${BASH_REMATCH[1]} seconds=${BASH_REMATCH[3]:-0}
  else
    usage_error "--time $1: MINUTES, MM:SS, H:MM:SS, D-H, D-H:MM or D-H:MM:SS is expected"
  fi
  echo $((((10#$days * 24 + 10#$hours) * 60 + 10#$minutes) * 60 + 10#$seconds))
}

check_arguments() {
  if [ -n "$continued" ]; then
    [ ${#positional[@]} -eq 0 ] || usage_error "--continue takes no CONFIG, DATA and RUN: ${positional[0]}"
    [ -z "${overrides[*]}$grid_given$folds$repeats$split_seed$init" ] ||
      usage_error "--continue goes on with the configuration, folds and weights of the RUN: without KEY=VALUE, --grid," \
        "--folds, --repeats, --split-seed and --init"
  elif [ ${#positional[@]} -ne 3 ]; then
    usage_error "CONFIG, DATA and RUN are needed, not ${#positional[@]} words: ${positional[*]}"
  fi
  local word key seen=' '
  for word in "${overrides[@]}" "${grid[@]}"; do
    key=${word%%=*}
    [[ $word =~ ^[a-z][a-z0-9_]*=. ]] || usage_error "$word: KEY=VALUE is expected"
    [[ $seen != *" $key "* ]] || usage_error "$word: $key is given twice"
    seen+="$key "
  done
  [ -z "$grid_given" ] || [ ${#grid[@]} -gt 0 ] || usage_error "--grid needs KEY=VALUE,VALUE..."
  make_points
}

# points: every combination of the grid's values, as KEY=VALUE,KEY=VALUE, which is also the name of the point's folder.
make_points() {
  local word key value values point longer
  for word in "${grid[@]}"; do
    key=${word%%=*}
    [[ $word != *[]/[[:space:][]* ]] || usage_error "--grid $word: values with blanks, / or [ ] can't name a folder"
    [[ ,${word#*=}, != *,,* ]] || usage_error "--grid $word: a value is empty"
    IFS=, read -r -a values <<<"${word#*=}"
    [ "$(printf '%s\n' "${values[@]}" | sort -u | wc -l)" = ${#values[@]} ] ||
      usage_error "--grid $word: a value is given twice"
    longer=()
    for point in "${points[@]:-}"; do
      for value in "${values[@]}"; do
        longer+=("${point:+$point,}$key=$value")
      done
    done
    points=("${longer[@]}")
  done
}

find_programs() { # NAME...: besides those of this project; sets bin
  local name missing=()
  bin=$site_bin
  if [ -z "$bin" ] && name=$(command -v cmus-train); then
    bin=$(dirname "$name")
  fi
  bin=${bin:-$(dirname "$jobs_folder")/build/bin}
  for name in cmus-train cmus-report cmus-split; do
    [ -x "$bin/$name" ] || missing+=("$bin/$name")
  done
  for name in "$@" "${site_launcher[0]}" gnuplot; do # gnuplot draws the report's pictures
    command -v "$name" >/dev/null || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] ||
    die "these programs are missing: ${missing[*]}; build (jobs/README.md), or set site_bin or site_setup in $site_file"
  bin=$(absolute_path "$bin")
}

# What a RUN is made of, from the arguments; paths become absolute.
resolve_paths() {
  config=$(absolute_path "${positional[0]}")
  data=$(absolute_path "${positional[1]}")
  run=$(absolute_path "${positional[2]}")
  { [ -f "$config" ] && [ -r "$config" ]; } || die "$config: the configuration can't be read"
  [ -f "$data/dataset.json" ] || die "$data: no data set (dataset.json is missing); make it by cmus-pack"
  if [ -n "$init" ]; then
    init=$(absolute_path "$init")
    [ -r "$init" ] || die "$init: the weights of --init can't be read"
  fi
  [[ $run != *[$'\n\\\\']* ]] || usage_error "$run: a folder with a line break or a backslash in its name can't be a RUN"
}

# The RUN of --continue: its variables, with what the command line says otherwise.
load_continued() {
  local key here=$jobs_folder
  local -A given=()
  for key in nodes tasks cpus time_limit partition account memory max_parallel signal_seconds; do
    given[$key]=${!key}
  done
  load_run "$(absolute_path "$continued")"
  [ -z "${grid_folder:-}" ] || die "$run is a point of the grid $grid_folder; go on with all of it: --continue $grid_folder"
  for key in "${!given[@]}"; do
    [ -z "${given[$key]}" ] || printf -v "$key" %s "${given[$key]}"
  done
  jobs_folder=$here made_by=$program
  config=$run/config.yaml
}

# What neither the command line nor the RUN of --continue says.
fill_in_defaults() {
  nodes=${nodes:-$site_nodes} tasks=${tasks:-$site_tasks_per_node}
  max_parallel=${max_parallel:-2} signal_seconds=${signal_seconds:-180}
  cpus=${cpus:-$(default_cpus)} # of the script
  partition=${partition:-$site_partition} account=${account:-$site_account}
  [ -z "$time_limit" ] || [ "$(time_seconds "$time_limit")" -gt "$signal_seconds" ] ||
    usage_error "--time $time_limit is not longer than --signal-seconds $signal_seconds: a fold would stop at once"
}

make_splits() { # if there are none
  local command=("$bin/cmus-split" "$data" "--folds=${folds:-5}" "--repeats=${repeats:-1}" "--seed=${split_seed:-0}")
  [ ! -e "$data/splits.csv" ] || return 0
  if [ -n "$dry_run" ]; then
    print_command "${command[@]}"
  else
    "${command[@]}" || die "$data: cmus-split made no splits"
  fi
}

print_command() { # WORDS...: as the user can type them
  local word text=''
  for word in "$@"; do
    [[ $word =~ ^[A-Za-z0-9_./:=@%+,-]+$ ]] || word=${word@Q}
    text+="$word "
  done
  echo "${text% }"
}

# Sets folds, repeats and so on to what cmus-train says of the data and the configuration.
check_training() { # RUN OVERRIDES...
  local folder=$1 facts key
  shift
  local weights=() asked_folds=$folds asked_repeats=$repeats
  if [ ! -e "$data/splits.csv" ]; then
    echo "$program: the configuration is not checked, as $data has no splits.csv yet" >&2
    folds=${folds:-5} repeats=${repeats:-1} epochs=0 updates_per_epoch=0 disk_bytes=0 memory_bytes=0
    return
  fi
  [ -z "$init" ] || weights=(--init "$init")
  facts=$("$bin/cmus-train" "$config" "$@" --data "$data" --fold 0 --out "$folder" "${weights[@]}" --resume --check) ||
    die "$folder: cmus-train refuses it; the line above says why"
  for key in folds repeats epochs updates_per_epoch disk_bytes memory_bytes; do
    printf -v "$key" %s "$(sed -n "s/^$key: *\([0-9]*\)$/\1/p" <<<"$facts")"
    [ -n "${!key}" ] || die "$bin/cmus-train --check says nothing of $key: is it as new as these scripts?"
  done
  [ "${asked_folds:-$folds} ${asked_repeats:-$repeats}" = "$folds $repeats" ] ||
    die "$data/splits.csv has $folds folds and $repeats repeats, not ${asked_folds:-$folds} and" \
      "${asked_repeats:-$repeats}; leave --folds and --repeats out, or make other splits by cmus-split --force"
}

check_space() { # FOLDER COUNT: whether COUNT folds have room there
  local place=$1 free needed=$(($2 * disk_bytes))
  while [ ! -d "$place" ]; do
    place=$(dirname -- "$place")
  done
  [ -w "$place" ] || die "$place: no permission to write there"
  free=$(df -B 1 --output=avail -- "$place" | tail -n 1)
  [ "$needed" -le "$free" ] ||
    die "$place: $2 folds need up to $((needed >> 20)) MiB, but $((free >> 20)) MiB are free; make room or use another disk"
}

array_text() { # VALUES...: as between the brackets of a bash array
  [ $# -eq 0 ] || printf '%q ' "$@"
}

same_run() { # RUN: prints in what the run there differs from the one that is asked for
  (
    names=('data set' 'file of --init' overrides grid)
    mine=("$data" "$init" "$(array_text "${overrides[@]}")" "$(array_text "${points[@]}")")
    cmp -s -- "$config" "$1/config.yaml" || echo "config.yaml is not $config"
    load_run "$1"
    theirs=("$data" "$init" "$(array_text "${overrides[@]}")" "$(array_text "${points[@]}")")
    for i in "${!mine[@]}"; do
      [ "${mine[i]}" = "${theirs[i]}" ] || echo "${names[i]}: ${theirs[i]:-none} there, ${mine[i]:-none} here"
    done
  ) | paste -s -d ';'
}

refuse_other_run() { # RUN: if that folder holds anything but the same run
  local difference
  [ -e "$1" ] || return 0
  [ -d "$1" ] || die "$1 is a file; name another folder for the run"
  if [ ! -e "$1/job.conf" ]; then
    [ -z "$(ls -A -- "$1")" ] || die "$1 holds files, but no run of these scripts; name another folder"
    return 0
  fi
  difference=$(same_run "$1")
  [ -z "$difference" ] || die "$1 is another run: $difference; name another folder, or go on with that one by --continue"
}

write_run() { # RUN OVERRIDES...: makes the folder; a config.yaml that is there stays
  local folder=$1 key
  shift
  mkdir -p -- "$folder/logs" || die "$folder can't be made"
  [ -e "$folder/config.yaml" ] || write_file "$folder/config.yaml" <"$config"
  {
    echo "# What $program was asked for, as bash reads it; the jobs use it."
    for key in data init folds repeats epochs updates_per_epoch disk_bytes memory_bytes nodes tasks cpus time_limit \
      partition account memory max_parallel signal_seconds bin jobs_folder site_file made_by directory; do
      printf '%s=%q\n' "$key" "${!key}"
    done
    echo "overrides=($(array_text "$@"))"
    if is_grid && [ "$folder" = "$run" ]; then
      echo "points=($(array_text "${points[@]}"))"
    elif is_grid; then
      printf 'grid_folder=%q\n' "$run"
    fi
  } | write_file "$folder/job.conf"
}

# Calls COMMAND... RUN OVERRIDES... for the run, or for each point of a grid.
for_each_run() {
  local point values
  if ! is_grid; then
    "$@" "$run" "${overrides[@]}"
    return
  fi
  for point in "${points[@]}"; do
    IFS=, read -r -a values <<<"$point"
    "$@" "$run/$point" "${overrides[@]}" "${values[@]}"
  done
}

missing_total=0
count_missing() { # RUN ...
  local run=$1 list
  mapfile -t list < <(unfinished_folds)
  missing_total=$((missing_total + ${#list[@]}))
}

# From the arguments to a RUN that is checked and, unless --dry-run, written.
prepare() { # PROGRAM...: those that are needed beside this project's
  [ -z "$continued" ] || load_continued
  load_site "${CMUS_SITE_CONF:-${site_file:-}}"
  adjust_site # of the script
  find_programs "$@"
  [ -n "$continued" ] || resolve_paths
  fill_in_defaults
  [ -n "$continued" ] || refuse_other_run "$run"
  make_splits
  for_each_run check_training
  for_each_run count_missing
  check_space "$run" "$missing_total"
  [ -z "$dry_run" ] || return 0
  for_each_run write_run
  ! is_grid || write_run "$run" "${overrides[@]}"
}
