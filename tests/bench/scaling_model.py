#!/usr/bin/env python3
"""A model of the seconds of an update over many hosts: fitted to rows of exchange_bench (hosts_scaling.sh), then used for hosts
that are not here. Prints Markdown.

An update is the waves' forward passes, maps to the owners of the cases and gradients back, backward passes, and Adam. The new
weights of the update before are sent (spread) from the beginning of the flat buffer while the first forward pass computes, which
needs them in the order TEM, OM, IM; gradients are summed from its end while the last backward pass computes, which makes them
ready in the order IM, OM, TEM. Within an encoder, each block takes the same time (a stage has a quarter of the tokens and four
times the weights of the one before). Images lie on ranks at random, as in training; a bucket is ready when it is ready on the
last rank, and a rank without images of an encoder neither needs its weights nor delays its gradients.

A bucket takes bytes / (bandwidth * efficiency) + messages * cost; the processor needs `work` seconds a byte on top, which no
overlap hides. Efficiency, cost and work are fitted. No number of a machine is in here: all come as arguments.
"""
import argparse
import csv
import math
import random
import statistics
import sys

BYTES = {"fp32": 4, "bf16": 2, "fixed": 8}
MODALITIES = 3  # in the order of the buffer: TEM, OM, IM
ADAM_BYTES = 40  # that Adam reads and writes for a weight (results/benchmarks.md)
MOMENTS, BUCKETS_ON_THEIR_WAY = 3, 3
WAVE_PIXEL_BYTES = 64 << 20  # of a rank's images in a wave (include/cmus/wave.h)


def blocks_of(depths):
    """Share of the time and of the bytes of an encoder, block after block."""
    time, size = [], []
    for stage, depth in enumerate(depths):
        for block in range(depth):
            merging = 1 / 6 if stage > 0 and block == 0 else 0  # the linear map before it, in blocks
            time.append(1 + merging)
            size.append((1 + merging) * 4**stage)
    return [t / sum(time) for t in time], [s / sum(size) for s in size]


def share_images(cases, tem, ranks):
    """Images of each modality on each rank: shuffled, dealt out in turn."""
    images = [m for _ in range(cases) for m in [0] * tem + [1, 2]]
    random.Random(1).shuffle(images)
    counts = [[0] * MODALITIES for _ in range(ranks)]
    for i, modality in enumerate(images):
        counts[i % ranks][modality] += 1
    return counts


def forward_end(counts, seconds_image, depths, spread, buckets):
    """When the last rank's forward pass ends, if the weights need `spread` seconds, bucket after bucket."""
    time, size = blocks_of(depths)
    end = 0.0
    for rank in {tuple(c) for c in counts}:
        now = 0.0
        for modality in range(MODALITIES):
            done = modality / MODALITIES
            for t, s in zip(time, size):
                done += s / MODALITIES
                if rank[modality]:
                    arrived = spread * min(1, math.ceil(done * buckets - 1e-9) / buckets)
                    now = max(now, arrived) + rank[modality] * seconds_image * t
        end = max(end, now)
    return end


def backward_end(counts, seconds_image, depths, reduction, buckets):
    """When the last bucket is summed, if the sums need `reduction` seconds, bucket after bucket."""
    time, size = blocks_of(depths)
    places, ready = [], []  # where in the buffer, from its end, gradients are complete, and when on the last rank
    now = {tuple(c): 0.0 for c in counts}
    done = 0.0
    for modality in reversed(range(MODALITIES)):
        for t, s in zip(reversed(time), reversed(size)):
            for rank in now:
                now[rank] += rank[modality] * seconds_image * t
            done += s / MODALITIES
            places.append(done)
            # an encoder without images is ready at once, and with it nothing that others still compute
            ready.append(max((n for rank, n in now.items() if rank[modality]), default=0.0))
    for i in range(1, len(ready)):
        ready[i] = max(ready[i], ready[i - 1])
    end, at = max(now.values()), 0
    sent = 0.0
    for bucket in range(buckets):
        while at + 1 < len(places) and places[at] < (bucket + 1) / buckets - 1e-9:
            at += 1
        sent = max(sent, ready[at]) + reduction / buckets
    return max(end, sent)


class Link:
    """bandwidth: bytes/s (None: no limit); cost: seconds a message; latency: seconds; work: processor seconds a byte."""

    def __init__(self, bandwidth, efficiency, cost, latency, work):
        self.bandwidth, self.efficiency, self.cost, self.latency, self.work = bandwidth, efficiency, cost, latency, work

    def seconds(self, size, messages):
        wire = size / (self.bandwidth * self.efficiency) if self.bandwidth else 0.0
        return wire + messages * self.cost


def update(ranks, counts, waves, depths, forward_image, backward_image, cases, optimizer, link, load, shared_by):
    """Seconds of an update by part. load: bytes of sum, spread and maps from a rank, and buckets; cases: seconds behind the
    encoders; shared_by: ranks over cores, as the processor time of all ranks' bytes is spread over the cores."""
    sum_bytes, spread_bytes, map_bytes, buckets = load
    messages = buckets * (ranks - 1)
    busiest = max(sum(c) for c in counts)
    first = forward_end(counts, forward_image / waves, depths, link.seconds(spread_bytes, messages if spread_bytes else 0), buckets)
    last = backward_end(counts, backward_image / waves, depths, link.seconds(sum_bytes, messages), buckets)
    maps = link.seconds(map_bytes, 2 * waves) + (2 * waves * link.latency if ranks > 1 else 0)
    return {
        "compute": busiest * (forward_image + backward_image) + cases,
        "sum": max(0.0, last - busiest * backward_image / waves),
        "spread": max(0.0, first - busiest * forward_image / waves),
        "maps": maps,
        "optimizer": optimizer,
        "processor": link.work * (sum_bytes + spread_bytes + map_bytes) * shared_by,
    }


def rate_of(text):
    """Bytes/s of '674mbit', '4gbit'; None for a link without a limit."""
    for unit, factor in (("gbit", 1e9), ("mbit", 1e6)):
        if text.endswith(unit):
            return float(text[: -len(unit)]) * factor / 8
    return None


def row_seconds(row, fitted, machine_cores):
    """What the model says of a row of exchange_bench, from its measured compute."""
    efficiency, cost, work = fitted
    ranks, batch, waves = int(row["ranks"]), int(row["batch"]), max(1, round(row["waves"]))
    depths = [int(row[f"depth_{s}"]) for s in (1, 2, 3, 4)]
    counts = share_images(batch, max(1, round(row["images"] / batch) - 2), ranks)
    busiest = max(sum(c) for c in counts)
    parts = update(ranks, counts, waves, depths, row["forward_seconds"] / busiest, row["backward_seconds"] / busiest, 0, 0,
                   Link(rate_of(row["link"]), efficiency, cost, 0, work),
                   (row["sum_bytes"], row["spread_bytes"], row["map_bytes"], max(1, int(row["buckets"]))), ranks / machine_cores)
    parts["compute"] = row["without_seconds"]  # as measured: it holds the optimizer and all that lies between
    return parts


def residuals(rows, efficiency, cost, machine_cores):
    """Relative errors as pairs (at work = 0, more for each unit of work): of the updates, and of a sum and a spread while nothing
    is computed where the link's rate is known."""
    pairs = []
    for row in rows:
        parts = row_seconds(row, (efficiency, cost, 1.0), machine_cores)
        measured = row["with_seconds"]
        pairs.append(((sum(parts.values()) - parts["processor"]) / measured - 1, parts["processor"] / measured))
        link = Link(rate_of(row["link"]), efficiency, cost, 0, 0)
        for what in ("sum", "spread"):
            alone = row.get(f"{what}_alone_seconds", 0)
            if alone > 0 and link.bandwidth and row[f"{what}_bytes"] > 0:
                pairs.append((link.seconds(row[f"{what}_bytes"], row["buckets"] * (row["ranks"] - 1)) / alone - 1, 0.0))
    return pairs


def fit(rows, machine_cores):
    """Least squares of relative errors: work, in which they are linear, is solved for; the other two are searched for by a compass,
    as the maxima in the model have no useful derivatives."""
    def solve(point):
        pairs = residuals(rows, math.exp(point[0]), math.exp(point[1]), machine_cores)
        slope = sum(b * b for _, b in pairs)
        work = max(0.0, -sum(a * b for a, b in pairs) / slope) if slope > 0 else 0.0
        return sum((a + work * b) ** 2 for a, b in pairs), work

    best = (math.inf, 0.0, None)
    for cost in (1e-9, 1e-6, 1e-4, 1e-2):
        point, step = (math.log(0.9), math.log(cost)), 1.0
        now, work = solve(point)
        while step > 0.002:
            tries = [(min(0.0, point[0] + x * step), max(math.log(1e-9), point[1] + 4 * y * step))
                     for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]
            found, work_found, there = min((*solve(t), t) for t in tries)
            if found < now:
                now, work, point = found, work_found, there
            else:
                step /= 2
        best = min(best, (now, work, point))
    return math.exp(best[2][0]), math.exp(best[2][1]), best[1]


def read_rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = [{k: v if k == "link" else float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    if not rows:
        sys.exit(f"scaling_model.py: {path} has no rows")
    return [r for r in rows if r["ranks"] > 1]


def print_fit(rows, fitted, machine_cores):
    efficiency, cost, work = fitted
    print(f"Fitted to {len(rows)} rows: {100 * efficiency:.1f} % of a link's rate, {1e6 * cost:.3g} us a message, "
          f"{1e9 * work:.3g} ns of a processor a byte.\n")
    print("| hosts | link | without, s | exposed sum, s | exposed spread, s | maps, s | processor, s | model, s | measured, s | error |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    errors = []
    for row in rows:
        parts = row_seconds(row, fitted, machine_cores)
        total = sum(parts.values())
        errors.append(total / row["with_seconds"] - 1)
        print(f"| {row['ranks']:.0f} | {row['link']} | {row['without_seconds']:.3f} | {parts['sum']:.3f} | {parts['spread']:.3f} | "
              f"{parts['maps']:.3f} | {parts['processor']:.3f} | {total:.3f} | {row['with_seconds']:.3f} | {100 * errors[-1]:+.1f} % |")
    print(f"\nError: {100 * math.sqrt(statistics.fmean(e * e for e in errors)):.1f} % (root of the mean square), "
          f"{100 * max(map(abs, errors)):.1f} % at most.\n")


def predicted(a, fitted, batch, hosts):
    """Parts of an update, images of the busiest rank, bytes sent, GiB a rank, waves."""
    wire = BYTES[a.wire]
    images, piece = batch * (a.tem + 2), a.parameters / hosts
    counts = share_images(batch, a.tem, hosts)
    busiest = max(sum(c) for c in counts)
    exact = 8 if a.wire == "fixed" else 0
    fixed_bytes = a.parameters * (8 + exact) + 4 * MOMENTS * piece + BUCKETS_ON_THEIR_WAY * a.bucket_mb * 2**20 * (hosts > 1)
    room = a.memory_gib * 2**30 - fixed_bytes
    waves = max(1, math.ceil(busiest * a.image_gib * 2**30 / room), math.ceil(busiest * 12 * a.image_size**2 / WAVE_PIXEL_BYTES))
    if room <= 0 or waves > batch:
        sys.exit(f"scaling_model.py: --memory-gib {a.memory_gib} is too little for the network and a case")
    memory = fixed_bytes + math.ceil(busiest / waves) * a.image_gib * 2**30
    rate = a.core_gflops * a.cores * a.thread_efficiency
    seconds_image = a.image_gflop / rate
    owned = math.ceil(batch / hosts)
    optimizer = (piece * ADAM_BYTES + (a.parameters - piece) * 4) / a.memory_bandwidth
    sum_bytes = (a.parameters - piece) * wire
    spread_bytes = piece * (hosts - 1) * 4
    maps = 2 * max(owned * (a.tem + 2) * (1 - 1 / hosts), busiest if hosts > batch else 0) * a.map_bytes if hosts > 1 else 0
    buckets = math.ceil(a.parameters * 4 / (a.bucket_mb * 2**20))
    link = Link(a.bandwidth, 1.0, a.message_cost if a.message_cost is not None else fitted[1], a.latency,
                fitted[2] if a.byte_work is None else a.byte_work)
    parts = update(hosts, counts, waves, a.depths, seconds_image / 3, 2 * seconds_image / 3, owned * a.case_seconds, optimizer, link,
                   (sum_bytes if hosts > 1 else 0, spread_bytes, maps, buckets), 1 / a.cores)
    mean = images / hosts * seconds_image
    parts["imbalance"] = busiest * seconds_image - mean
    parts["compute"] = mean + owned * a.case_seconds
    return parts, busiest, sum_bytes + spread_bytes if hosts > 1 else 0, memory / 2**30, waves


def print_predictions(a, fitted):
    print(f"One rank a host, {a.cores} cores with {a.core_gflops:g} GFLOP/s each, {100 * a.thread_efficiency:g} % of that together; "
          f"links of {a.bandwidth * 8e-9:g} Gbit/s, {a.latency * 1e6:g} us; {a.parameters / 1e6:.0f} M parameters, gradients in {a.wire}; "
          f"cases with {a.tem} TEM images.\n")
    names = ["compute", "imbalance", "sum", "spread", "maps", "optimizer", "processor"]
    for batch in a.batches:
        print(f"### Batch {batch}: {batch * (a.tem + 2)} images\n")
        print("| hosts | most images | " + " | ".join(names) + " | s an update | efficiency | MB sent | GiB a rank | waves | dearest |")
        print("|" + "---|" * (len(names) + 8))
        one = broken = None
        for hosts in a.hosts:
            parts, busiest, sent, memory, waves = predicted(a, fitted, batch, hosts)
            total = sum(parts.values())
            one = one or {n: parts[n] * hosts for n in names}
            efficiency = sum(one.values()) / hosts / total
            lost = {n: parts[n] - one[n] / hosts for n in names}
            dearest = max(lost, key=lost.get) if max(lost.values()) > 0 else ""
            if efficiency < 0.5 and not broken:
                broken = (hosts, dearest)
            print(f"| {hosts} | {busiest} | " + " | ".join(f"{parts[n]:.4f}" for n in names) + f" | {total:.4f} | {100 * efficiency:.0f} % | "
                  f"{sent / 1e6:.0f} | {memory:.2f} | {waves} | {dearest} |")
        print(f"\nEfficiency falls below 50 % at {broken[0]} hosts; most is lost by: {broken[1]}.\n" if broken
              else f"\nEfficiency stays at 50 % or more up to {a.hosts[-1]} hosts.\n")


def numbers(text):
    return [int(t) for t in text.split(",")]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("csv", help="rows of exchange_bench, as hosts_scaling.sh writes them")
    p.add_argument("--machine-cores", type=float, required=True, help="cores of the machine that the rows were measured on (nproc)")
    g = p.add_argument_group("predictions (printed if --image-gflop is given)")
    g.add_argument("--image-gflop", type=float, help="GFLOP of an image, forward and backward (step_bench: needed FLOPs / images)")
    g.add_argument("--core-gflops", type=float, help="GFLOP/s of a core in an update (step_bench with one thread)")
    g.add_argument("--cores", type=int, help="of a host")
    g.add_argument("--thread-efficiency", type=float, help="of that many threads of a rank: measured, or an assumption to be named")
    g.add_argument("--memory-bandwidth", type=float, help="bytes/s of a host's memory in Adam (step_bench --products)")
    g.add_argument("--bandwidth", type=float, help="bytes/s of a link: of the data, as a benchmark of MPI measures it")
    g.add_argument("--latency", type=float, help="seconds of a small message")
    g.add_argument("--message-cost", type=float, help="seconds that a message costs (default: fitted, that of TCP on the machine of the rows)")
    g.add_argument("--byte-work", type=float, help="processor seconds a byte (default: fitted, as above; an adapter that copies needs none)")
    g.add_argument("--parameters", type=float, help="of the network (cmus-train prints them)")
    g.add_argument("--depths", type=numbers, default=[2, 2, 18, 2], help="blocks of the stages (2,2,18,2)")
    g.add_argument("--map-bytes", type=float, help="of a feature map: tokens x channels x 4")
    g.add_argument("--case-seconds", type=float, default=0, help="behind the encoders, a case (0: neglected; step_bench)")
    g.add_argument("--image-gib", type=float, help="memory of an image in flight (README.md)")
    g.add_argument("--memory-gib", type=float, help="memory of a rank")
    g.add_argument("--image-size", type=int, default=224, help="pixels of a side (224)")
    g.add_argument("--tem", type=int, default=10, help="TEM images of a case (10)")
    g.add_argument("--bucket-mb", type=float, default=25, help="bucket_mb of the configuration (25)")
    g.add_argument("--wire", choices=sorted(BYTES), default="fp32", help="what gradients travel as (fp32)")
    g.add_argument("--batches", type=numbers, default=[4, 16, 64], help="(4,16,64)")
    g.add_argument("--hosts", type=numbers, default=[1, 2, 4, 8, 16, 32, 64], help="(1,2,4,8,16,32,64)")
    a = p.parse_args()
    rows = read_rows(a.csv)
    if not rows:
        sys.exit(f"scaling_model.py: {a.csv} has no rows of more than one rank")
    fitted = fit(rows, a.machine_cores)
    print_fit(rows, fitted, a.machine_cores)
    if a.image_gflop is None:
        return
    missing = [n for n in ("core_gflops", "cores", "thread_efficiency", "memory_bandwidth", "bandwidth", "latency", "parameters",
                           "map_bytes", "image_gib", "memory_gib") if getattr(a, n) is None]
    if missing:
        p.error("predictions also need --" + ", --".join(n.replace("_", "-") for n in missing))
    print_predictions(a, fitted)


if __name__ == "__main__":
    main()
