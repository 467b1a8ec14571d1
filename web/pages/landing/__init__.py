"""Pages of landing pages: the list, one with its blocks, versions and visits, and the forms of its parts."""
