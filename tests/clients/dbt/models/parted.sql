{{ config(materialized='table', partitioned_by=['day'], write_compression='snappy') }}
select n, word, day from {{ source('published', 'log') }}
