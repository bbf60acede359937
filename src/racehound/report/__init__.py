"""Report: a run as text, pages and files, for people and for other programs, while it goes on and afterwards."""
