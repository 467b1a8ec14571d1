"""What is said of a benchmark: its progress, its figures, the page they are written into."""
