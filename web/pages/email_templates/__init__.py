"""Templates: the list, one as readers see it, test sends, the editor, versions."""
