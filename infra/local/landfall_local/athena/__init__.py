"""Athena's API, answered for real: DuckDB runs the queries over the tables that Glue defines.

    types       types of Hive, Arrow and Athena's results, and how Athena writes a value
    tables      a table of the Glue catalog as an Arrow dataset over its objects; what Athena would refuse to read
    projection  partitions as computed from a table's parameters
    statements  what a statement does: queries, MSCK REPAIR TABLE, SHOW, CREATE TABLE AS, ...
    worker      the process that runs them and keeps their results; engine is the server's end of it
    service     the API: StartQueryExecution, GetQueryExecution, GetQueryResults

DuckDB is not Trino. sqlglot translates the dialect; what neither knows fails with an error.
"""
