"""Anthropic's messages API, as its client and as its server."""
