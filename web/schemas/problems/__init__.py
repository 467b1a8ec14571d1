"""Models of errors (RFC 9457), faults by field in our words, and examples of errors for the description of the API."""
