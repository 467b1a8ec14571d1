"""Sign-up forms: definitions, submissions, double opt-in, and the record of each consent."""
