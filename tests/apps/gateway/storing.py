"""What tests put into the database by the way that requests take."""

from typing import Any

from raylm_apps.gateway.store import exchanges
from raylm_apps.gateway.store.exchanges import Question, Stored
from raylm_apps.gateway.store.pool import Connection
from tests.apps.gateway.harness import new_id


async def store_exchange(
    connection: Connection,
    user_id: str,
    chat_id: str,
    question_id: str = "question",
    text: str = "How deep?",
    *,
    file_ids: tuple[str, ...] = (),
    is_retry: bool = False,
    **options: Any,
) -> Stored:
    """Of a guest; raises RefusedError."""
    question = Question(question_id, [{"type": "text", "text": text}], file_ids, is_retry)
    usual = {
        "is_guest": True,
        "title": "title",
        "visibility": "private",
        "answer_id": new_id(),
        "model_id": "mock/echo",
        "may_answer": True,
        "path_limit": 400,
    }
    return await exchanges.begin(connection, user_id, chat_id, question, **{**usual, **options})
