"""Many scenarios from one: the points of a sweep."""
