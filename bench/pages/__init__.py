"""First byte of the pages at a million contacts and ten million events, and pixels while many pages are open."""
