"""Pages of campaigns: the list, one campaign, its form, its actions, and the contacts behind its numbers."""
