"""Makes events.tfevents: an event file by TensorBoard's own writer, with the records of tests/unit/test_event_log.c.

    python3 make_events_golden.py events.tfevents          (PyPI: tensorboard)

Tags of one and of many characters, steps of one and of several bytes, values that are not finite.
"""
import sys

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

NAN, INFINITY = float("nan"), float("inf")
RECORDS = [
    (1700000001.5, 0, [("a", 0.0)]),
    (1700000002.25, 7, [("loss/train", 1.5), ("loss/held_out", -0.1), ("x" * 200, 1e-30)]),
    (1700000003.0, 123456789012, [("gradient_norm", INFINITY), ("auc", NAN)]),
]


def main():
    events = [Event(wall_time=1700000000.0, file_version="brain.Event:2"),
              Event(wall_time=1700000000.0, step=7, session_log=SessionLog(status=SessionLog.START))]
    for time, step, scalars in RECORDS:
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars]
        events.append(Event(wall_time=time, step=step, summary=Summary(value=values)))
    with open(sys.argv[1], "wb") as file:
        writer = RecordWriter(file)
        for event in events:
            writer.write(event.SerializeToString())
        writer.flush()


if __name__ == "__main__":
    main()
