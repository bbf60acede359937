"""Data: plans, programs, histories, findings, matrices and other plain data, kept as JSON."""
