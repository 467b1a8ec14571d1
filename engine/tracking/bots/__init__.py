"""Bot detection: hits are classified as human, machine or unknown.

`observer.Observer` extracts what is stored of a request; `classifier.classify` applies the rules in `rules` to all hits
of one e-mail.
"""
