# Sourced by the tests of cmus-train: a scratch folder with a small data set, and how to run and check.
# shellcheck source=tests/cli/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=jobs/mpi-environment.sh
. "$here/../../jobs/mpi-environment.sh"

make_data() { # CASES [OPTIONS OF cmus-phantom...]
    "$bin/cmus-phantom" --cases "$@" --size 64 --seed 3 phantom > log 2>&1 &&
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

launch=(mpirun -q --oversubscribe --bind-to none)

train() { # RANKS ARGUMENTS...
    local ranks=$1
    shift
    "${launch[@]}" -np "$ranks" "$bin/cmus-train" "$@"
}

start_train() { # RANKS ARGUMENTS...: in the background; $job is the process of mpirun itself, which ends its ranks when it is told to
    local ranks=$1
    shift
    "${launch[@]}" -np "$ranks" "$bin/cmus-train" "$@" &
    job=$!
}

weights_of() { # RUN
    sha256sum < "$1/fold-0/final/weights.safetensors"
}

# Weights that are finite, but so large that no loss is: every element of the TEM encoder's first layer.
huge_weights() { # FROM TO
    python3 - "$1" "$2" << 'END' || fail "no huge weights"
import json, struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
length = struct.unpack("<Q", data[:8])[0]
begin, end = (8 + length + n for n in json.loads(data[8:8 + length])["TEM_encoder.0.0.0.weight"]["data_offsets"])
data[begin:end] = struct.pack("<f", 3e38) * ((end - begin) // 4)
open(sys.argv[2], "wb").write(data)
END
}
