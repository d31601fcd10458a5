"""What a poll works with: one host's client, clock and timetable, and where answers land."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from extract.client import Client
from extract.host import PROCESS_HOSTS, Hosts
from extract.landing import Landed
from extract.minute.driver import process_driver
from extract.minute.server_clock import ServerClock
from extract.minute.timetable import Timetable
from extract.minute.wanted import Wanted
from extract.pool import Done, run_all
from lake.clock import Clock, to_millis
from lake.errors import CandlelakeError, StoppedError, UsageError
from lake.objects import ObjectStore
from lake.settings import Settings

log = logging.getLogger(__name__)

#: How long an estimate of the exchange's clock will do for a task among many.
TOLD_LATELY = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Desk:
    """One host of an exchange, and the lake.

    Attributes:
        settings: with the patience of a poll.
        clock: the exchange's.
        client: asks, by our own clock.
        quick: asks for the time alone: once, without another try.
    """

    settings: Settings
    store: ObjectStore
    wanted: Wanted
    run_id: str
    client: Client
    quick: Client
    clock: ServerClock
    timetable: Timetable

    @classmethod
    def of(
        cls,
        settings: Settings,
        store: ObjectStore,
        wanted: Wanted,
        *,
        run_id: str,
        clock: Clock,
        hosts: Hosts = PROCESS_HOSTS,
    ) -> Desk:
        """Return a desk for what is wanted of a host; nothing is asked yet."""
        driver = process_driver()
        hurried = patient(settings, settings.minute.attempts)
        once = patient(settings, 1)
        return cls(
            hurried,
            store,
            wanted,
            run_id,
            Client(hurried, clock=clock, hosts=hosts, driver=driver),
            Client(once, clock=clock, hosts=hosts, driver=driver),
            ServerClock(clock),
            Timetable.of(settings.minute),
        )

    def now_ms(self) -> int:
        """Return the exchange's time."""
        return to_millis(self.clock.now())

    def ask_time(self) -> None:
        """Ask the exchange for its time; where it does not answer, the last estimate stands."""
        try:
            answer, document = self.quick.ask(
                self.wanted.time_request(self.settings), lambda document: document
            )
        except StoppedError:
            raise
        except CandlelakeError as error:
            log.warning("the exchange does not tell its time: %s", error)
            return
        self.clock.learn(answer, document)

    def ask_time_if_old(self) -> None:
        """Ask the exchange for its time, unless an answer has told it just now."""
        best, now = self.clock.offset(), self.client.clock.now()
        if best is None or abs(now - best.taken) > TOLD_LATELY:
            self.ask_time()

    def stop(self) -> None:
        """Let no further request go out."""
        self.client.stop()
        self.quick.stop()


@dataclass(slots=True)
class Tally:
    """What polls came to.

    Attributes:
        polls: how often an interval was polled.
        landed: what landed.
        missed: intervals of an index for which no price of its own came.
        failed: how many questions had no usable answer.
        failure: the first of them; the others are in the log.
    """

    polls: int = 0
    landed: Landed = field(default_factory=Landed)
    missed: int = 0
    failed: int = 0
    failure: CandlelakeError | None = None

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.polls + other.polls,
            self.landed + other.landed,
            self.missed + other.missed,
            self.failed + other.failed,
            self.failure or other.failure,
        )

    def fail(self, error: CandlelakeError) -> None:
        """Tell of a failure and count it."""
        log.warning("a poll failed: %s", error)
        self.failed += 1
        self.failure = self.failure or error


def patient(settings: Settings, attempts: int) -> Settings:
    """Return settings that leave off in time for the next poll."""
    extract = settings.extract.model_copy(
        update={
            "attempts": attempts,
            "read_timeout_seconds": settings.minute.timeout_seconds,
        }
    )
    return settings.model_copy(update={"extract": extract})


def side_by_side(work: Sequence[Callable[[], Landed]], workers: int, tally: Tally) -> Landed:
    """Do all of it; what fails is told and counted, and leaves the rest alone.

    Raises:
        UsageError: a question makes no sense, now or at any other time.
        StoppedError: the run was stopped.
    """

    def task(one: Callable[[], Landed]) -> Callable[[], Done]:
        def done() -> Done:
            try:
                return Done(one())
            except (UsageError, StoppedError):
                raise
            except CandlelakeError as error:
                tally.fail(error)
                return Done(Landed())

        return done

    return run_all([task(one) for one in work], min(workers, len(work))) if work else Landed()
