"""Drafts of campaigns: create, edit, clone and delete them, and estimate the effect of one before it is stored."""
