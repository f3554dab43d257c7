SELECT
  to_timestamp_seconds(file_land_timestamp) AS landed,
  line_number,
  problem AS line,
  '${dea_version}' AS dea_version
FROM order_export
WHERE problem IS NOT NULL
