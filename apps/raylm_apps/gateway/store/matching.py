"""What is searched for, as PostgreSQL understands it: of messages a tsquery, of titles LIKE."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from raylm_apps.gateway.store.pool import Connection
from raylm_apps.gateway.store.wording import Clause, Term, clauses_of

_ENDINGS = (
    *("s", "es", "ed", "ing", "ly", "ness", "ments", "ations", "ational", "izations", "iveness"),
    *("fulness", "ousness", "abilities", "ivities", "alities", "icates", "ically", "alism"),
)
# What may still follow the first letters of an English word, whose stem can be shorter than they
# are: "universi" is on its way to "university", which is kept as "univers".
TAILS = sorted({ending[place:] for ending in _ENDINGS for place in range(len(ending))})
LEAST_STEM = 3
# To read so many entries of the index takes as long as to look at a thousand messages.
COMMON_ROWS = 20_000
# What the index of titles knows; of other patterns it is quicker to look at each title oneself.
_TRIGRAM = re.compile(r"[a-z0-9]{3}")
_INDEXED, _INLINE = "folded({})", "lower(unaccent('unaccent'::regdictionary, {}))"
_PHRASE = "phraseto_tsquery('words', wording({}))"
_BEGINNING = f"""({_PHRASE} || ({_PHRASE} <-> (
    to_tsquery('unstemmed', {{}} || ':*')
    || coalesce((select string_agg(distinct quote_literal(stem), '|')::tsquery
                 from unnest({{}}::text[]) as tail,
                      unnest(ts_lexize('every_stem', folded({{}}) || tail)) as stem
                 where starts_with(folded({{}}), stem) and length(stem) >= {LEAST_STEM}), ''))))"""


@dataclass(frozen=True)
class Wanted:
    words: str
    """A tsquery."""
    narrower: str | None
    """Without its beginning, what also holds of all that it finds; None where nothing does."""
    is_by_row: bool
    """Where the beginning is a common one: the index has all users' words, and would read each."""
    titles: Sequence[tuple[Sequence[str], Sequence[str]]]
    """Patterns of LIKE, by clause: all of those, none of these."""

    @property
    def is_indexed(self) -> bool:
        return not self.is_by_row or self.narrower is not None

    def of_messages(self, arguments: list[object]) -> str:
        """SQL about the table `message_words`; what it needs is added to the arguments."""
        arguments.append(self.words)
        words = f"${len(arguments)}::text::tsquery"
        if not self.is_by_row:
            return f"words @@ {words}"
        if self.narrower is None:
            return f"ts_match_vq(words, {words})"
        arguments.append(self.narrower)
        return f"words @@ ${len(arguments)}::text::tsquery and ts_match_vq(words, {words})"

    def of_titles(
        self, arguments: list[object], title: str = "chats.title", *, by_index: bool = False
    ) -> str:
        """SQL about a title."""
        alternatives = []
        for wanted, unwanted in self.titles:
            terms = []
            for sign, patterns in (("", wanted), ("not ", unwanted)):
                for pattern in patterns:
                    arguments.append(pattern)
                    is_indexed = by_index and not sign and _TRIGRAM.search(pattern)
                    folded = _INDEXED if is_indexed else _INLINE
                    terms.append(f"{folded.format(title)} {sign}like ${len(arguments)}")
            alternatives.append(f"({' and '.join(terms)})")
        return f"({' or '.join(alternatives)})" if alternatives else "false"


async def understand(connection: Connection, query: str) -> Wanted | None:
    """None where nothing is asked for."""
    clauses = clauses_of(query)
    if not clauses:
        return None
    arguments: list[object] = []
    words = " || ".join(_all_of(clause, arguments) for clause in clauses)
    closed = [[term for term in clause if not term.beginning] for clause in clauses]
    is_open = closed != [list(clause) for clause in clauses]
    narrower = "null"
    if is_open and all(any(not term.is_negated for term in clause) for clause in closed):
        narrower = " || ".join(_all_of(clause, arguments) for clause in closed)
    arguments.append([term.text for clause in clauses for term in clause])
    row = await connection.fetchrow(
        f"""select ({words})::text as words, ({narrower})::text as narrower,
                   array(select folded(term) from unnest(${len(arguments)}::text[])
                         with ordinality as t (term, place) order by place) as terms""",
        *arguments,
    )
    assert row is not None
    is_by_row = is_open and await _estimate(connection, clauses[-1]) > COMMON_ROWS
    return Wanted(row["words"], row["narrower"], is_by_row, _patterns(clauses, row["terms"]))


async def _estimate(connection: Connection, clause: Clause) -> int:
    """How many messages of all users have a word that begins so, by PostgreSQL's statistics."""
    plan = await connection.fetchval(
        """explain (format json) select from message_words
           where words @@ to_tsquery('unstemmed'::regconfig, $1::text || ':*')""",
        clause[-1].beginning,
    )
    rows: int = orjson.loads(plan)[0]["Plan"]["Plan Rows"]
    return rows


def _all_of(clause: Clause, arguments: list[object]) -> str:
    return f"({' && '.join(_term(term, arguments) for term in clause)})"


def _term(term: Term, arguments: list[object]) -> str:
    def place(value: object) -> str:
        arguments.append(value)
        return f"${len(arguments)}::{'text[]' if isinstance(value, list) else 'text'}"

    if term.beginning:
        word = place(term.beginning)
        return _BEGINNING.format(
            place(term.text), place(term.before), word, place(TAILS), word, word
        )
    return f"{'!!' if term.is_negated else ''}{_PHRASE.format(place(term.text))}"


def _patterns(
    clauses: Sequence[Clause], folded: Sequence[str]
) -> list[tuple[list[str], list[str]]]:
    """Of the clauses that want something: what is only unwanted would find nearly every title."""
    terms = iter(folded)
    split = []
    for clause in clauses:
        patterns = [(term.is_negated, _anywhere(next(terms))) for term in clause]
        wanted = [pattern for is_negated, pattern in patterns if not is_negated]
        unwanted = [pattern for is_negated, pattern in patterns if is_negated]
        if wanted:
            split.append((wanted, unwanted))
    return split


def _anywhere(text: str) -> str:
    """A LIKE pattern in which nothing of the text is special."""
    escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"
