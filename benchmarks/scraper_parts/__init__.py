"""The processes that benchmarks/scraper.py measures."""
