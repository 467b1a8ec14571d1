"""Lists of contacts and of suppressions as people read them: searches, filters, pages, totals."""
