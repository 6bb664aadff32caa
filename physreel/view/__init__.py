"""A page to look at a data set with: one static folder, or served on this machine."""
