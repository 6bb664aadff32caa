"""How it moves: engines behind one interface."""
