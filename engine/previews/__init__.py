"""Templates before they are used: previews, the values they show, the campaigns that use them, test sends."""
