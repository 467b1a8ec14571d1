"""The naive way of sending and of applying events, as baselines."""
