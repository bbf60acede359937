# What the services do, in the language: `python examples/tour.py` brings them up and runs this.
# The target is the composition's own PostgreSQL, so that its change stream can be read by SQL.

# A Debezium envelope in Avro, as often as the command line says.
$ set keyschema={"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}]}
$ set schema={
    "type": "record",
    "name": "envelope",
    "fields": [
      {"name": "before", "type": ["null", {
        "type": "record", "name": "row", "fields": [
          {"name": "id", "type": "long"}, {"name": "data", "type": "string"}
        ]
      }]},
      {"name": "after", "type": ["null", "row"]}
    ]
  }
$ kafka-create-topic topic=tour partitions=1
$ kafka-ingest topic=tour format=avro key-format=avro key-schema=${keyschema} schema=${schema} repeat=${arg.records}
{"id": ${kafka-ingest.iteration}} {"before": null, "after": {"row": {"id": ${kafka-ingest.iteration}, "data": "fish"}}}
$ schema-registry-wait topic=testdrive-tour-${testdrive.seed}
$ kafka-verify-topic topic=testdrive-tour-${testdrive.seed} partition-count=1

# PostgreSQL: a write, and its change stream.
> CREATE TABLE tour (id int PRIMARY KEY, data text)
> SELECT slot_name FROM pg_create_logical_replication_slot('tour', 'test_decoding')
tour
$ postgres-execute connection=${racehound.postgres-url}
INSERT INTO tour VALUES (1, 'fish');
UPDATE tour SET data = 'fish2' WHERE id = 1;
> SELECT data FROM pg_logical_slot_get_changes('tour', NULL, NULL) WHERE data LIKE 'table %'
"table public.tour: INSERT: id[integer]:1 data[text]:'fish'"
"table public.tour: UPDATE: id[integer]:1 data[text]:'fish2'"
> SELECT pg_drop_replication_slot('tour') IS NULL
false

# MySQL: a write; its change stream is read by tour.py.
$ mysql-connect name=source url=mysql://root@mysql password=${arg.mysql-root-password}
$ mysql-execute name=source
CREATE DATABASE tour;
CREATE TABLE tour.rows_of_tour (id int PRIMARY KEY, data text);
INSERT INTO tour.rows_of_tour VALUES (1, 'fish'), (2, 'fish2');
UPDATE tour.rows_of_tour SET data = 'chips' WHERE id = 2;

# S3: an object, put and verified.
$ s3-file-upload bucket=racehound key=tour/rows.csv
1,fish
2,fish2
$ s3-verify-data bucket=racehound key=tour
1,fish
2,fish2

# A webhook, to a small server of tour.py.
$ http-request method=POST url=${arg.webhook} content-type=application/json
{"event": "tour"}
