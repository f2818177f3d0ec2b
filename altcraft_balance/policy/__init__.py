"""What to do next, decided in pure code: clock and randomness are arguments."""
