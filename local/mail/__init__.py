"""The mail side of the embedded installation: an SMTP inbox, its store, and a web page to read it."""
