"""What a report says in words, and the responses that it shows."""
