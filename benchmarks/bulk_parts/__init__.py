"""Parts of the benchmark of bulk filtering."""
