"""Doing what statements say."""
