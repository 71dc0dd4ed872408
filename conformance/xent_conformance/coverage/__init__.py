"""Which combinations of sizes, options, dtypes and layouts a run tries, counted without calling a backend."""
