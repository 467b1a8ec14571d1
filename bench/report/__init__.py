"""Reports of benchmarks: progress, figures, and their page."""
