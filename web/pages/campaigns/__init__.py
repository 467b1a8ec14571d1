"""Pages of campaigns: the list, one campaign, its form, its actions, and the people behind its numbers."""
