"""Whose turn it is with the model: one at a time, a bounded line of others, in the order in which they came."""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """
    A request holds the model while it computes. One that pauses because its reader is slow gives the model up, and when
    it goes on it stands before those that have not begun: its listener is already listening.
    """

    def __init__(self, queue_limit: int) -> None:
        self._queue_limit = queue_limit
        self._holder: Turn | None = None
        self._resumed: deque[Turn] = deque()
        self._new: deque[Turn] = deque()

    @property
    def queued(self) -> int:
        """Requests that have not begun."""
        return len(self._new)

    @property
    def begun_waiting(self) -> bool:
        """Whether a request that had begun waits to go on."""
        return bool(self._resumed)

    def enter(self) -> Turn | None:
        """A place in line (perhaps at its head: the model itself), or None when the line is full."""
        wanting = (self._holder is not None) + len(self._resumed) + len(self._new)
        if wanting > self._queue_limit:
            return None
        turn = Turn(self)
        self._new.append(turn)
        self._pass_on()
        return turn

    def _pass_on(self) -> None:
        if self._holder is None and (self._resumed or self._new):
            self._holder = (self._resumed or self._new).popleft()
            self._holder._given.set()

    def _resume(self, turn: Turn) -> None:
        self._resumed.append(turn)
        self._pass_on()

    def _remove(self, turn: Turn) -> None:
        turn._given.clear()
        if self._holder is turn:
            self._holder = None
            self._pass_on()
        for line in (self._resumed, self._new):
            if turn in line:
                line.remove(turn)


class Turn:
    """One request's place."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._given = asyncio.Event()

    async def wait(self) -> None:
        """Until the model is this request's."""
        await self._given.wait()

    async def resume(self) -> None:
        """Comes back after leave(), ahead of those that have not begun, and waits for the model."""
        self._turns._resume(self)
        await self.wait()

    def leave(self) -> None:
        """Gives up the model, or the place in line. Harmless when there is neither."""
        self._turns._remove(self)
