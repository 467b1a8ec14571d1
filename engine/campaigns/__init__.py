"""Campaigns: steps, enrollments, due work, and the effects of settled e-mails on the sequence."""
