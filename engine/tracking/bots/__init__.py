"""Hits told apart: what a reader did, what a scanner or a proxy did, and what nobody can say.

`Observer` says what of a request is kept; `judge` gives a verdict on all hits of one mail, by the rules in `rules`.
"""

from engine.tracking.bots.classify import COMPANY_MAX, judge
from engine.tracking.bots.hits import HONEYPOT, Hit, Verdict, bucket, is_hit
from engine.tracking.bots.observer import KEEPS, Keep, Observer

__all__ = ["COMPANY_MAX", "HONEYPOT", "KEEPS", "Hit", "Keep", "Observer", "Verdict", "bucket", "is_hit", "judge"]
