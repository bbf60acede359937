"""Data: what travels between the rooms. Plans, programs, histories, findings and matrices, kept as JSON."""
