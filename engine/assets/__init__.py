"""Assets: pictures that people upload for e-mails and pages, checked and served from our own origin."""
