"""Pages of contacts: search, one contact and its changes, suppressions, imports of files."""
