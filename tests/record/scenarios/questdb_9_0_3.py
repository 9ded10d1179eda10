"""QuestDB 9.0.3."""

from ._older import run as older

VERSION = "9.0.3"
DESCRIPTION = "QuestDB 9.0.3: the types that it knows, arrays, schema changes, deduplication, truncate (compare by value: floats print differently)"

START = 1_700_000_000_000_000


def run(db):
    older(db)
    db.sql("CREATE TABLE old_array (ts TIMESTAMP, a DOUBLE[], m DOUBLE[][]) TIMESTAMP(ts) PARTITION BY DAY WAL",
           f"INSERT INTO old_array SELECT ({START} + x * 7000000000)::timestamp, rnd_double_array(1, 2, 0, 4), rnd_double_array(2, 2, 0, 3, 2) FROM long_sequence(40, 1, 2)",
           f"INSERT INTO old_array VALUES ({START}, ARRAY[1.0, 0.1], null)")
