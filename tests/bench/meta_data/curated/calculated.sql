SELECT
  lower(european_electoral_region) AS european_electoral_region,
  count(*) AS n,
  '${dea_version}' AS dea_version,
  CAST('${snapshot_date}' AS DATE) AS dea_snapshot_date
FROM postcodes
GROUP BY lower(european_electoral_region)
