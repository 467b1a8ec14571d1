"""The profile's arithmetic."""

from bench import profile


def test_a_function_counts_once_a_sample_and_on_top_by_itself() -> None:
    stacks = ["drain (worker/drain.py:1);send (engine/x.py:2) 3", "drain (worker/drain.py:1) 1", "f (a:1);f (a:1) 2"]
    inside, itself = profile.tally([*stacks, "run (engine/bell.py:9);Condition.wait (threading.py:295) 50"])
    assert inside == {"drain (worker/drain.py:1)": 4, "send (engine/x.py:2)": 3, "f (a:1)": 2}
    assert itself == {"send (engine/x.py:2)": 3, "drain (worker/drain.py:1)": 1, "f (a:1)": 2}
