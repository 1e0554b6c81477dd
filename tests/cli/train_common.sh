# Sourced by the tests of cmus-train: a scratch folder with a small data set, and how to run and check.
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=jobs/mpi-environment.sh
. "$here/../../jobs/mpi-environment.sh"

make_data() { # CASES
    "$bin/cmus-phantom" --cases "$1" --size 64 --seed 3 phantom > log 2>&1 &&
        "$bin/cmus-pack" phantom/cases --out data --size 64 >> log 2>&1 &&
        "$bin/cmus-split" data --folds 3 --seed 1 >> log 2>&1 || { cat log; echo "no data set"; exit 1; }
    cat > tiny.yaml << END
embed_dim: 8
depths: [2, 2, 2, 2]
heads: [1, 2, 4, 8]
image_size: 64
fusion_hidden: 16
head_relu: false
batch: 3
epochs: 5
lr: 2e-4
drop_path: 0.2
memory_gib: 1
END
}

train() { # RANKS ARGUMENTS...
    local ranks=$1
    shift
    mpirun -q --oversubscribe --bind-to none -np "$ranks" "$bin/cmus-train" "$@"
}

weights_of() { # RUN
    sha256sum < "$1/fold-0/final/weights.safetensors"
}
