SELECT * FROM in_json
