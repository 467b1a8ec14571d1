"""Pages for those who run the installation: e-mails in doubt, health, users."""
