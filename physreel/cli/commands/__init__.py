"""Commands that stand in a file each: every module here adds its own to the app when it is imported."""
