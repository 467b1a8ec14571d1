"""Models of templates: what a send may use, tests of them, and their versions in the database."""
