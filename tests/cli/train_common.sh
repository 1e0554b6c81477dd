# Sourced by the tests of cmus-train: a scratch folder with a small data set, and how to run and check.
set -u
bin=$(cd "$1/bin" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
failures=0
if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

finish() {
    [ "$failures" = 0 ] || echo "$failures checks failed"
    [ "$failures" = 0 ]
    exit
}

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
