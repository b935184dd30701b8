"""The afternoon script, and the floor: asyncio, httpx, a semaphore, no queue.

Manifests come by name on stdin, one a line; each is run to its end. The process then waits for the next, so that
the harness can look at what it has used.
"""

import asyncio
import sys

from benchmarks.baselines.parts import read_rows
from benchmarks.baselines.road_async import AsyncRoad
from benchmarks.baselines.site import Site


async def main() -> None:
    """Reads names until stdin ends."""
    road = AsyncRoad(Site.from_environment())
    while name := await asyncio.to_thread(sys.stdin.readline):
        async with asyncio.TaskGroup() as group:
            for row in read_rows(name.strip()):
                group.create_task(road.run(row))
    await road.close()


if __name__ == "__main__":
    asyncio.run(main())
