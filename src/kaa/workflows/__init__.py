"""One function for each thing a user wants done."""
