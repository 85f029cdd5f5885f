"""Run one load: the order comes on standard input."""

from taskwire_bench.load import orders
from taskwire_bench.load.creating import call_one_by_one, create_in_batches
from taskwire_bench.load.following import follow_all, follow_each
from taskwire_bench.load.line import Line
from taskwire_bench.load.looping import loop_over_statements
from taskwire_bench.load.pacing import create_by_the_clock
from taskwire_bench.load.steadying import hold_steady
from taskwire_shared.lifecycle import run


async def _main() -> None:
    line = Line()
    order = await line.order(orders.Any)
    match order:
        case orders.Batches():
            await create_in_batches(order, line)
        case orders.Unary():
            await call_one_by_one(order, line)
        case orders.Paced():
            await create_by_the_clock(order, line)
        case orders.Streams():
            await follow_each(order, line)
        case orders.Feed():
            await follow_all(order, line)
        case orders.Steady():
            await hold_steady(order, line)
        case orders.Limit():
            await loop_over_statements(order, line)


if __name__ == "__main__":
    run(_main())
