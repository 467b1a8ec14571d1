"""The mail side of the embedded services: an SMTP inbox, its store, and a page to read it."""
