"""Models of templates: the list for sends, tests, and versions in the database."""
