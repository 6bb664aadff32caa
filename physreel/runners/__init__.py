"""Where the work runs, and what is on disk while it does."""
