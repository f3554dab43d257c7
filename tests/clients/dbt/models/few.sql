{{ config(materialized='view') }}
select n, word, day from {{ source('published', 'by_day') }} where n < 3
