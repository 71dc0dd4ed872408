"""Which combinations of sizes, options, dtypes and layouts the problems of a run meet, counted without a backend."""
