"""One lookup from its query to its end: slots, attempts, waits, tokens, opening and closing."""
