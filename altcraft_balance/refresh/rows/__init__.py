"""What is asked about a row, what came of it, and what is counted; nothing is done here."""
