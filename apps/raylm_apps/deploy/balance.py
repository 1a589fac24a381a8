"""Which replica HAProxy sends a request to: the one that has seen its beginning.

One session, or one first message or prompt, is one key, and it stays as a chat grows. One key goes
to one replica, while that has not too much more than the average to do, and else to the next one.
"""

# HAProxy keeps 128 characters of it, of a body no more than its buffer.
KEY = (
    "%[req.hdr(x-session-id)]"
    r" %[req.body,json_query(\$.messages[0].content)]"
    r" %[req.body,json_query(\$.messages[0].content[0].text)]"
    r" %[req.body,json_query(\$.prompt)]"
)
BOUND_PERCENT = 175  # benchmarks/serve/affinity.py; a request that is just ending counts as well


def consistent_hash(bound_percent: int = BOUND_PERCENT) -> str:
    """What stands behind `balance`; Ray Serve puts it into the section `defaults` as it is."""
    return f"""hash unique-id
    unique-id-format "{KEY}"
    option http-buffer-request
    hash-type consistent sdbm avalanche
    hash-balance-factor {bound_percent}"""
