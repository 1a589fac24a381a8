"""Budgets in requests, tokens and money: reserved before, settled after, never exceeded."""
