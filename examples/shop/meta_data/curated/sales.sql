-- `orders` and `customers` are the curated tables of these names: good orders, and one row a customer.
SELECT
  o.order_no,
  o.ordered_on,
  o.customer,
  c.town,
  p.product_name,
  o.quantity * o.price AS amount,
  sum(o.quantity * o.price) OVER (PARTITION BY o.customer ORDER BY o.ordered_on, o.order_no) AS spent,
  '${dea_version}' AS dea_version
FROM orders AS o
LEFT JOIN customers AS c ON c.customer = o.customer
LEFT JOIN products AS p
  ON p.product = o.product
  AND p.file_land_timestamp = (SELECT max(file_land_timestamp) FROM products)
ORDER BY o.order_no
