"""A page to look through what a model removes, before it runs on everything; what is wrong there comes out as a label file."""
