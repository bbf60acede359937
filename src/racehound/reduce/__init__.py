"""Reduce: measuring how often a program shows a finding, and (to come) making it smaller while it still does."""
