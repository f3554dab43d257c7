SELECT customer, full_name, email, town, updated, '${dea_version}' AS dea_version
FROM (
  SELECT *, row_number() OVER (PARTITION BY customer ORDER BY updated DESC, file_land_timestamp DESC) AS newest
  FROM customers
)
WHERE newest = 1
ORDER BY customer
