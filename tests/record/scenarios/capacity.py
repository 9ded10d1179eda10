"""Symbols that come by the hundred at once."""

DESCRIPTION = "More symbols than a column's capacity by a changed type, an UPDATE and a commit; halves of surrogate pairs; CAPACITY, CACHE and NOCACHE; a type changed where a part has no value"

START = 1_704_067_200_000_000  # 2024-01-01
HOUR = 3_600_000_000


def run(db):
    # A column's dictionary is made, and made larger, in one transaction.
    db.sql("CREATE TABLE many (ts TIMESTAMP, n INT, v VARCHAR) TIMESTAMP(ts) PARTITION BY DAY WAL")
    db.sql(f"INSERT INTO many SELECT ({START} + x * {HOUR // 8})::timestamp, x::int, 'v' || x FROM long_sequence(700)")
    db.sql("ALTER TABLE many ALTER COLUMN v TYPE SYMBOL")
    db.sql(f"INSERT INTO many SELECT ({START} + x * {HOUR // 5})::timestamp, x::int, 'w' || x FROM long_sequence(900)")
    db.snapshot("many")
    db.sql("ALTER TABLE many ALTER COLUMN n TYPE SYMBOL CAPACITY 16", "ALTER TABLE many ALTER COLUMN v SYMBOL CAPACITY 8192",
           "UPDATE many SET v = 'updated' WHERE n = '5'", "ALTER TABLE many ALTER COLUMN v NOCACHE", "ALTER TABLE many ALTER COLUMN n NOCACHE",
           "ALTER TABLE many ALTER COLUMN n CACHE")
    # Nearly as many as it has room for; only a commit of rows, or an UPDATE, would make it larger.
    db.sql("CREATE TABLE full_one (ts TIMESTAMP, v VARCHAR) TIMESTAMP(ts) PARTITION BY DAY WAL")
    db.sql(f"INSERT INTO full_one SELECT ({START} + x * {HOUR // 8})::timestamp, 'v' || x FROM long_sequence(250)")
    db.sql("ALTER TABLE full_one ALTER COLUMN v TYPE SYMBOL")
    # A CHAR is the first half of a character beyond the first 65,536, and stays one as a symbol: it prints as the question mark does.
    db.sql("CREATE TABLE halves (ts TIMESTAMP, v VARCHAR) TIMESTAMP(ts) PARTITION BY DAY WAL")
    db.insert("halves", [f"{START + i * HOUR}, '{v}'" for i, v in enumerate(["😀", "a", "🎉", "?", "😎", "🚀", "b", "𝄞"] * 3)])
    db.sql("ALTER TABLE halves ALTER COLUMN v TYPE CHAR", "ALTER TABLE halves ALTER COLUMN v TYPE SYMBOL")
    db.insert("halves", [f"{START + (30 + i) * HOUR}, '{v}'" for i, v in enumerate(["?", "b", "c"])])
    db.snapshot("halves")
    db.sql("CREATE TABLE other_halves (ts TIMESTAMP, s SYMBOL, t SYMBOL, u SYMBOL) TIMESTAMP(ts) PARTITION BY DAY WAL",
           "INSERT INTO other_halves SELECT ts, v, v, v FROM halves", "ALTER TABLE other_halves ALTER COLUMN s TYPE STRING",
           "ALTER TABLE other_halves ALTER COLUMN t TYPE CHAR", "ALTER TABLE other_halves ALTER COLUMN s TYPE SYMBOL")
    # The first days have nothing of the column whose type changes; nobody has written a null into it.
    db.sql("CREATE TABLE young (ts TIMESTAMP, n INT) TIMESTAMP(ts) PARTITION BY DAY WAL")
    db.insert("young", [f"{START + i * HOUR}, {i}" for i in range(60)])
    db.sql("ALTER TABLE young ADD COLUMN d DOUBLE")
    db.insert("young", [f"{START + (60 + i) * HOUR}, {i}, {i}.5" for i in range(40)])
    db.sql("ALTER TABLE young ALTER COLUMN d TYPE SYMBOL")
    db.insert("young", [f"{START + (100 + i) * HOUR}, {i}, 'new {i}'" for i in range(5)])
    db.snapshot("young")
