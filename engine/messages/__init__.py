"""The e-mail platform, writing side: templates, tracked links, MIME."""
