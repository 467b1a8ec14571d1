"""`make demo`: the whole three-e-mail sequence on real input, then a checked ledger."""
