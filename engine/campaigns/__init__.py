"""The sequence: campaigns, their steps, who is enrolled, what is due, and how events change it."""
