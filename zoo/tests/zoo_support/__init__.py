"""Helpers for the tests of the emulator."""
