"""racehound finds races in databases: it draws objects and their lives from a seed, lets them race, and judges what happened."""

__version__ = "0.1.0"
