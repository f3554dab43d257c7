SELECT
  order_no,
  ordered_on,
  customer,
  product,
  quantity,
  price,
  note,
  '${dea_version}' AS dea_version,
  substr(CAST(ordered_on AS STRING), 1, 7) AS month
FROM order_export
WHERE problem IS NULL
