"""Loops: what is run next, and until when: hunt, explore, matrix, reduce, replay."""
