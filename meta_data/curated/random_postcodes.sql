SELECT
  *,
  '${dea_version}' AS dea_version
FROM random_postcodes
