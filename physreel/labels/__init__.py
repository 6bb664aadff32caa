"""What happened, in words: events, captions, questions."""
