"""For programs that frameworks of others run: one module for each, imported by those who use it."""
