"""A machine that finds wrong answers: random SQL over random tables, by curate and by DuckDB, must be the same.

`make compare-sql`; what it does and how to read what it finds is in docs/compare.md.
"""
