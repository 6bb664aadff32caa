"""How it looks and how it sounds."""
