"""``python -m altcraft_balance``: the command ``altcraft-balance`` by another name."""

from altcraft_balance.cli import program

if __name__ == "__main__":
    program()
