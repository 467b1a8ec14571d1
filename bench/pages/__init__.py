"""First byte of the pages at a million contacts and ten million events, pixels while many are open, and imports."""
