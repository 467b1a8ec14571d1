"""Landing pages for everybody, /p/<slug>: rendered once for each version and language, and cached."""
