"""Who is asked: groups, entitlements, circuits, and the one loop that asks again."""
