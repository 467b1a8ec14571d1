"""`make demo`: a three-e-mail sequence to simulated people on a fast clock, and an audit of the ledger."""
