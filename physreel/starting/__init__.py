"""The first steps: a scene of one's own to begin with, and a small clip of every scene to see that all works here."""
