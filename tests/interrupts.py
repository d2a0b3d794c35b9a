"""What the tests of interrupted calls share."""

import random
import signal


class Interrupts:
    """Let a signal's handler raise once, at a random moment of a call."""

    def __init__(self):
        self.random = random.Random(0)
        self.longest = 1e-3
        self.armed = False
        self.n = 0

    def handle(self, number, frame):
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt

    def during(self, call, *arguments, **options):
        try:
            self.armed = True
            signal.setitimer(signal.ITIMER_REAL, self.random.uniform(1e-6, self.longest))
            call(*arguments, **options)
            self.armed = False
            self.longest *= 0.9  # so that about every second call is interrupted, however long it takes
        except KeyboardInterrupt:
            self.n += 1
            self.longest *= 1.1
        finally:
            self.armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
