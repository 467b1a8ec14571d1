"""The usual way of sending, as a baseline."""
