"""mz_catalog and mz_internal: rendered, for each query anew, from the state that the query sees."""
