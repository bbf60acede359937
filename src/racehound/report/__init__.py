"""Report: what people and other programs are shown of a run, while it goes and afterwards."""
