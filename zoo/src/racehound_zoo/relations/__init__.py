"""The relations of mz_catalog and mz_internal. They are rendered for each query from the state that the query sees."""
