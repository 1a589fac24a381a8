"""What is typed into a search, read as web searches are: `a b`, `"a b"`, `a or b`, `-a`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(r'(-?)(?:"([^"]*)("?)|([^\s"]+))')
# Scripts that write no spaces: there a word is found anywhere, not by its beginning.
_UNSPACED = "\u0e00-\u109f\u1780-\u17ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
_BEGINNING = re.compile(rf"(?:(?![{_UNSPACED}\U00020000-\U0003ffff])[^\W_])+$")


@dataclass(frozen=True)
class Term:
    """Words that stand side by side; `beginning` is the last one, while it is being typed."""

    text: str
    is_negated: bool = False
    beginning: str = ""

    @property
    def before(self) -> str:
        return self.text.removesuffix(self.beginning)


Clause = Sequence[Term]


def clauses_of(query: str) -> list[Clause]:
    """One of them must hold, with all of its terms. A space ends the last word."""
    clauses: list[list[Term]] = [[]]
    for token in _TOKEN.finditer(query):
        minus, quoted, closing, word = token.groups()
        text = word if quoted is None else quoted
        is_open = token.end() == len(query) and not closing and not minus
        if text.lower() == "or" and word and not minus and not is_open:
            clauses.append([])
        elif text.strip():
            found = _BEGINNING.search(text) if is_open else None
            clauses[-1].append(Term(text, bool(minus), found.group() if found else ""))
    return [_telling(clause) for clause in clauses if clause]


def _telling(clause: list[Term]) -> list[Term]:
    """Marks alone count only where there is nothing else."""
    return [term for term in clause if any(map(str.isalnum, term.text))] or clause
