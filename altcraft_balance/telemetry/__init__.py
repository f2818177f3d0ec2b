"""One stream of frozen, redacted events, and readers of it."""
