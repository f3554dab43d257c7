"""A search for wrong answers: random SQL over random tables must give the same answer in curate and in DuckDB.

Run by `make compare-sql`. docs/compare.md describes how it works and how to read its findings.
"""
