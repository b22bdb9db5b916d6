"""One inventory of the whole public API: what holds for each name, and the strict device."""
