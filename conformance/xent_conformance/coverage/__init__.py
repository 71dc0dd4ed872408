"""Counts which combinations of sizes, options, dtypes and layouts a run tries, without calling the backend."""
