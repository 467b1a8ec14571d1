"""What comes back by mail: replies (and, in time, bounces)."""
