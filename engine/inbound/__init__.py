"""Incoming mail: replies, automatic answers and bounces, and the ways by which it arrives."""
