"""Both type checkers must refuse this file: it imports a name that does not exist."""

from altcraft_balance import BalanceKlient

client = BalanceKlient
