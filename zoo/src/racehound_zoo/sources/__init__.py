"""What fills relations from outside, and what carries them out."""
