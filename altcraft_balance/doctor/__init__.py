"""Looks at a set-up from the outside in and says what is wrong with it, and what to do."""
