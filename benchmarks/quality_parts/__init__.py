"""Parts of quality.py: what is measured on, the fits, the figures, and how they are shown."""
