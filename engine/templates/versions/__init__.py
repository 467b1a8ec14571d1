"""Templates in the database: their content, versions and publication. The only writer of both tables."""
