-- The title is the first line; the header comes again on every page.
WITH rows AS (
  SELECT
    line_number,
    line,
    regexp_like(line, '^[0-9]+;[0-9]{2}/[0-9]{2}/[0-9]{4};C[0-9]{3};[A-Z]{3}-[0-9]{2};[0-9]+;£[0-9,]+[.][0-9]{2};')
      AND TRY_CAST(regexp_replace(split_part(line, ';', 2), '(..)/(..)/(....)', '\3-\2-\1') AS DATE) IS NOT NULL AS good
  FROM order_export
  WHERE line_number > 1 AND line <> '' AND NOT starts_with(line, 'Order No;')
)
SELECT
  line_number,
  CASE WHEN good THEN CAST(split_part(line, ';', 1) AS BIGINT) END AS order_no,
  CASE WHEN good THEN
    CAST(regexp_replace(split_part(line, ';', 2), '(..)/(..)/(....)', '\3-\2-\1') AS DATE) END AS ordered_on,
  CASE WHEN good THEN split_part(line, ';', 3) END AS customer,
  CASE WHEN good THEN split_part(line, ';', 4) END AS product,
  CASE WHEN good THEN CAST(split_part(line, ';', 5) AS INT) END AS quantity,
  CASE WHEN good THEN CAST(translate(split_part(line, ';', 6), '£,', '') AS DECIMAL(10, 2)) END AS price,
  CASE WHEN good THEN
    NULLIF(btrim(regexp_replace(line, '^([^;]*;){6}', ''), '"'), '') END AS note,
  CASE WHEN NOT good THEN line END AS problem
FROM rows
