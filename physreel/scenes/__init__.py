"""What can happen: one file a scene."""
