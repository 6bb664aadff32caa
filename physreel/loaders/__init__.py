"""How it is read back."""
