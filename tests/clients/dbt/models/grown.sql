{{ config(materialized='incremental', incremental_strategy='append', partitioned_by=['day']) }}
select n, day from {{ source('published', 'by_day') }}
{% if is_incremental() %}
where day > (select max(day) from {{ this }})
{% endif %}
