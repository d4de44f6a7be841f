"""An example project: articles of a site, filtered on their way into the feed."""
