"""The files that a new installation begins with."""
