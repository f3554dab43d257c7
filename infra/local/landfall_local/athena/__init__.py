"""Athena's API with real answers: DuckDB runs the queries over the tables in Glue.

    errors       failures of queries, and requests that Athena does not start
    types        the types of Hive, Arrow and Athena's results, and the text of values in Athena's notation
    tables       a table of the Glue catalog as an Arrow dataset over its objects; refuses what Athena would not read
    lines        the same for text files; projection: partitions computed from a table's parameters
    views, information_schema
                 the other things that a query may read
    trino        SQL of Trino as a tree; queries runs it
    writing      CREATE TABLE AS, INSERT, UNLOAD
    hive         the rest: SHOW, DESCRIBE, MSCK REPAIR TABLE, ALTER TABLE (alter), databases
    results      a statement's result, as rows and as a file
    statements   determines which of these a statement is
    worker       the process that runs them and stores their results; engine is the server's end of it
    service      the API: StartQueryExecution, GetQueryExecution, GetQueryResults; metadata: catalogs, databases, tables

DuckDB is not Trino. sqlglot translates the dialect, and anything that neither knows fails with an error.
"""
