"""Pages of sign-up forms: the list, one with its figures, its editor, and the people who submitted it."""
