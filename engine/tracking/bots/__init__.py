"""Bot detection: hits are classified as human, machine or unknown.

`Observer` extracts what is stored of a request; `classify` applies the rules in `rules` to all hits of one e-mail.
"""

from engine.tracking.bots.classifier import NEIGHBOURS_MAX, classify
from engine.tracking.bots.hits import HONEYPOT, Classification, Hit, bucket, is_hit
from engine.tracking.bots.observer import KEEPS, Keep, Observer

__all__ = [
    "HONEYPOT",
    "KEEPS",
    "NEIGHBOURS_MAX",
    "Classification",
    "Hit",
    "Keep",
    "Observer",
    "bucket",
    "classify",
    "is_hit",
]
