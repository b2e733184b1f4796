"""
Everything dies, again and again, at random: two daemons of one group, Postgres, Redis. In the end every event that was
published is accounted for, the table is what the oracle says, and the books agree with what others count.
"""
import json
import random

from office import diagnose
from oracle import Published
from programs import PipeWriter
from servers import wait_until
from test_faults import claims

EVENTS = 60_000
DEATHS = 18
PER_DEATH = 40  # frames into the pipe while a daemon is down


def progress(office):
    """Rows in the table are the only thing that none of the dead can take back."""
    return office.sql("SELECT count(*) FROM claim")[0][0]


def test_everything_dies_at_random(office):
    office.start_redis(appendonly=True)
    office.publish("claim", claims(0, EVENTS))
    left = office.daemon([office.redis_stream("claim", claim_after="500ms", consumer="left"),
                          office.fifo_stream("diagnose")], name="left")
    right = office.daemon([office.redis_stream("claim", claim_after="500ms", consumer="right")], name="right")
    writer, n_frames = PipeWriter(office.pipe("diagnose")).open(), 0
    draw = random.Random(20)
    for death in range(DEATHS):
        target = min(progress(office) + draw.randrange(1, 3000), EVENTS * 8 // 10)
        wait_until(lambda t=target: progress(office) >= t, 60, f"progress after death {death}", every=0.002)
        victim = draw.choice([left, left, right, office.postgres, office.redis])
        victim.kill9()
        for key in range(n_frames, n_frames + PER_DEATH):
            writer.frame(json.dumps(diagnose(key)).encode())
        n_frames += PER_DEATH
        victim.start()
    writer.close()
    office.published += [Published("diagnose", diagnose(key)) for key in range(n_frames)]
    office.wait_settled(timeout=120)
    for daemon in (left, right):
        daemon.wait_healthy()
    office.check(in_order=False, redelivered=True)
