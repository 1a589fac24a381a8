"""The shapes of requests and answers, one file a noun; `schemas.py` holds the chat's."""
