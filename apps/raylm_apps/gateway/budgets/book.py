"""Which budgets apply to whom: believed for some seconds, so that most requests ask nobody."""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.budgets.counter import is_for
from raylm_apps.gateway.store import budgets, teams
from raylm_apps.gateway.store.budgets import Budget
from raylm_apps.gateway.store.ledger import Payer
from raylm_apps.gateway.store.pool import Database

FRESH_S = 5.0  # for so long another process may grant by a budget that was changed here
MOST_USERS = 10_000


class BudgetBook:
    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._state: tuple[int, datetime | None] | None = None
        self._by_subject: dict[str | None, list[Budget]] = {}
        self._has_teams = False
        self.version = 0
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._teams: OrderedDict[str, tuple[str, float]] = OrderedDict()

    async def payer_of(self, session: Session) -> Payer:
        """With the team that a user joined first, where teams have budgets."""
        await self.refresh()
        team = await self._team_of(session.user_id) if self._has_teams else ""
        return Payer(session.user_id, session.key_id or "", team)

    async def applying(self, payer: Payer, model: str) -> Sequence[Budget]:
        await self.refresh()
        return self.known(payer, model)

    def known(self, payer: Payer, model: str) -> Sequence[Budget]:
        """As last read."""
        if not self._by_subject:
            return ()
        subjects = {None, payer.user_id, payer.key_id, payer.team_id}
        return [
            budget
            for subject in subjects
            for budget in self._by_subject.get(subject, ())
            if is_for(budget, payer, model)
        ]

    async def of_payer(self, payer: Payer) -> Sequence[Budget]:
        """Whatever the model."""
        await self.refresh()
        every = [budget for found in self._by_subject.values() for budget in found]
        return [budget for budget in every if is_for(budget, payer, budget.model or "")]

    def forget(self) -> None:
        """A budget was changed, or who is in a team: here it holds at once."""
        self._read_at = float("-inf")
        self._teams.clear()

    async def refresh(self) -> None:
        if self._is_fresh:
            return
        async with self._reading:
            if self._is_fresh:
                return
            asked_at = self._clock()
            async with self._database.connection() as connection:
                state = await budgets.state(connection)
                if state != self._state:
                    self._shelve(await budgets.read_all(connection))
            self._state, self._read_at = state, asked_at

    @property
    def _is_fresh(self) -> bool:
        return self._clock() - self._read_at < FRESH_S

    def _shelve(self, found: Sequence[Budget]) -> None:
        self.version += 1
        by_subject = defaultdict[str | None, list[Budget]](list)
        for budget in found:
            by_subject[budget.subject_id].append(budget)
        self._by_subject = dict(by_subject)
        self._has_teams = any(budget.subject == "team" for budget in found)

    async def _team_of(self, user_id: str) -> str:
        team, seen_at = self._teams.get(user_id, ("", float("-inf")))
        if self._clock() - seen_at < FRESH_S:
            return team
        async with self._database.connection() as connection:
            team = await teams.first_of(connection, user_id) or ""
        self._teams[user_id] = (team, self._clock())
        self._teams.move_to_end(user_id)
        if len(self._teams) > MOST_USERS:
            self._teams.popitem(last=False)
        return team
