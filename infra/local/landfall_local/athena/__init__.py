"""Athena's API, answered for real: DuckDB runs the queries over the tables that Glue defines.

    errors       what Athena refuses: a query that fails, a request that is not even started
    types        types of Hive, Arrow and Athena's results, and how Athena writes a value
    tables       a table of the Glue catalog as an Arrow dataset over its objects; what Athena would refuse to read
    lines        the same of files of text; projection: partitions as computed from a table's parameters
    views, information_schema
                 the other things that a query may read
    trino        SQL of Trino's as a tree; queries runs it
    writing      CREATE TABLE AS, INSERT, UNLOAD
    hive         the rest: SHOW, DESCRIBE, MSCK REPAIR TABLE, ALTER TABLE (alter), databases
    results      what a statement answers, as rows and as a file
    statements   which of these a statement is
    worker       the process that runs them and keeps their results; engine is the server's end of it
    service      the API: StartQueryExecution, GetQueryExecution, GetQueryResults; metadata: catalogs, databases, tables

DuckDB is not Trino. sqlglot translates the dialect; what neither knows fails with an error.
"""
