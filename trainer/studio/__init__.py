"""Label Studio: a server of one's own, tasks out, labels back, live pre-labelling."""
