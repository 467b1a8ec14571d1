"""Tasks, by what they work on."""
