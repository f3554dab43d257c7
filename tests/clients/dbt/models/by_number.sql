{{ config(materialized='table', table_type=var('table_type', 'hive')) }}
select n, count(*) as visits from {{ ref('few') }} group by n
