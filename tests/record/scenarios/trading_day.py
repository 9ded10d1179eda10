"""A trading day on a small exchange: the recording that the page opens with.

`small` is paced, so that commit times show a day's rhythm: bursts at the open and the close, a quiet noon,
gaps in between. `large` writes some million rows as fast as the server takes them.
"""

import math
import time

DESCRIPTION = (
    "A trading day: quotes, trades, orders (deduplicated), indicative prices that are truncated at the open, "
    "one-minute bars as a materialized view; a feed that delivers late, a new column, a wider type, a dropped partition"
)

HOUR = 3_600_000_000
MINUTE = HOUR // 60
DAY = 1_750_377_600_000_000  # 2025-06-20 00:00 UTC
OPEN, CLOSE = DAY + 8 * HOUR, DAY + 17 * HOUR
PRE_OPEN = OPEN - HOUR // 2

INSTRUMENTS = [("EUR-USD", 1.1523, 5), ("GBP-USD", 1.3471, 5), ("USD-JPY", 145.52, 3), ("USD-CHF", 0.8167, 5), ("XAU-USD", 3368.4, 2),
               ("XAG-USD", 36.02, 3), ("BTC-USD", 104250.0, 1), ("ETH-USD", 2514.7, 2), ("SOL-USD", 146.3, 2), ("BRENT", 76.85, 2),
               ("WTI", 74.04, 2), ("NATGAS", 3.912, 3)]

# seconds: what the whole day takes on the server's clock (0: as fast as it goes).
SIZES = {
    "small": {"steps": 880, "seconds": 75.0, "quotes": 9, "trades": 6, "orders": 4, "bars": "15m", "views": 24},
    "large": {"steps": 3000, "seconds": 0.0, "quotes": 1050, "trades": 680, "orders": 230, "bars": "1m", "views": 40},
}

TABLES = [
    "CREATE TABLE quotes (ts TIMESTAMP, symbol SYMBOL CAPACITY 64, bid DOUBLE, ask DOUBLE, bid_size INT, ask_size INT) "
    "TIMESTAMP(ts) PARTITION BY HOUR WAL",
    "CREATE TABLE trades (ts TIMESTAMP, symbol SYMBOL CAPACITY 64, side SYMBOL CAPACITY 16, price DOUBLE, size INT) "
    "TIMESTAMP(ts) PARTITION BY HOUR WAL",
    "CREATE TABLE orders (ts TIMESTAMP, id LONG, symbol SYMBOL CAPACITY 64, side SYMBOL CAPACITY 16, price DOUBLE, "
    "size INT, status SYMBOL CAPACITY 16) TIMESTAMP(ts) PARTITION BY HOUR WAL DEDUP UPSERT KEYS(ts, id)",
    "CREATE TABLE indicative (ts TIMESTAMP, symbol SYMBOL CAPACITY 64, price DOUBLE, imbalance LONG) "
    "TIMESTAMP(ts) PARTITION BY HOUR WAL",
]


def intensity(at: float) -> float:
    """How busy the market is at the fraction `at` of the session: busy open and close, quiet noon."""
    return 0.35 + 1.9 * math.exp(-at * 14) + 1.3 * math.exp(-(1 - at) * 11) + 0.5 * math.exp(-((at - 0.62) / 0.05) ** 2)


class Market:
    """Random walks of the instruments."""

    def __init__(self, random):
        self.random = random
        self.price = {name: price for name, price, _ in INSTRUMENTS}
        self.digits = {name: digits for name, _, digits in INSTRUMENTS}
        self.names = [name for name, _, _ in INSTRUMENTS]
        self.weights = [1 / (i + 1.5) for i in range(len(INSTRUMENTS))]

    def pick(self) -> tuple[str, float]:
        name = self.random.choices(self.names, self.weights)[0]
        self.price[name] *= 1 + self.random.gauss(0, 0.00012)
        return name, self.price[name]

    def quote(self) -> str:
        r = self.random
        name, mid = self.pick()
        digits = self.digits[name]
        spread = max(mid * 0.00008 * r.uniform(0.5, 2), 10**-digits)
        return (f"quotes,symbol={name} bid={mid - spread / 2:.{digits}f},ask={mid + spread / 2:.{digits}f},"
                f"bid_size={r.randrange(1, 60) * 100}i,ask_size={r.randrange(1, 60) * 100}i")

    def trade_of(self, name: str) -> str:
        """A trade at the price of the evening before."""
        return f"trades,symbol={name},side=buy price={self.price[name]:.{self.digits[name]}f},size=25i"

    def trade(self, venue: str | None) -> str:
        r = self.random
        name, mid = self.pick()
        tags = f",symbol={name},side={r.choice(('buy', 'sell'))}" + (f",venue={venue}" if venue else "")
        return f"trades{tags} price={mid:.{self.digits[name]}f},size={r.randrange(1, 40) * 25}i"


class Orders:
    """Orders that are born, partly filled, filled or cancelled; each change is the same row again."""

    def __init__(self, market: Market):
        self.market, self.random = market, market.random
        self.open: list[tuple[int, int, str]] = []
        self.next = 100_001
        self.moments: set[int] = set()

    def event(self, now: int) -> str:
        r = self.random
        if self.open and r.random() < 0.5:
            i = r.randrange(len(self.open))
            status = r.choice(("partial", "filled", "filled", "cancelled"))
            at, number, text = self.open[i]
            if status != "partial":
                self.open[i] = self.open[-1]
                self.open.pop()
        else:
            name, mid = self.market.pick()
            # No two orders share a time: with keys beside the time the log would not fix their order.
            while now in self.moments:
                now += 1
            self.moments.add(now)
            at, number, status = now, self.next, "new"
            self.next += 1
            text = f"{name},side={r.choice(('buy', 'sell'))}|price={mid:.{self.market.digits[name]}f},size={r.randrange(1, 80) * 25}i"
            self.open.append((at, number, text))
            if len(self.open) > 400:
                self.open.pop(0)
        tags, fields = text.split("|")
        return f"orders,symbol={tags},status={status} id={number}i,{fields} {at}"


def run(db):
    size = SIZES[db.options.get("size", "small")]
    Day(db, size).run()


class Day:
    def __init__(self, db, size):
        self.db, self.size, self.random = db, size, db.random
        self.market = Market(db.random)
        self.orders = Orders(self.market)
        self.late: list[str] = []
        self.venues: list[str | None] = [None]

    def run(self):
        db, steps = self.db, self.size["steps"]
        db.sql(*TABLES)
        db.sql(f"CREATE MATERIALIZED VIEW bars REFRESH MANUAL AS (SELECT ts, symbol, first(price) open, max(price) high, "
               f"min(price) low, last(price) close, sum(size) volume FROM trades SAMPLE BY {self.size['bars']}) PARTITION BY DAY")
        weights = [intensity(i / steps) for i in range(steps)]
        self.inverse = sum(1 / w for w in weights)
        self.before_the_open(steps // 9)
        self.pause(0.05)
        db.snapshot("quotes", "indicative")
        db.sql("TRUNCATE TABLE indicative")
        # The exchange's servers are started anew before the open: writers from here on know the symbols.
        db.restart()
        events = {
            int(steps * 0.32): self.add_venue,
            int(steps * 0.55): lambda: self.pause(0.07),
            int(steps * 0.56): self.widen_size,
        }
        elapsed = 0.0
        refresh_every = max(steps // self.size["views"], 1)
        for i in range(steps):
            if i in events:
                events[i]()
            # Equal work per step: a busy market makes the steps short.
            start = OPEN + int((CLOSE - OPEN) * elapsed)
            elapsed += 1 / weights[i] / self.inverse
            self.step(start, OPEN + int((CLOSE - OPEN) * elapsed), i, steps)
            self.sleep(0.75 / weights[i] / self.inverse)
            if i % refresh_every == refresh_every - 1:
                self.refresh()
        self.deliver_late(len(self.late))
        db.sql("ALTER TABLE quotes DROP PARTITION LIST '2025-06-20T07'")
        self.refresh()

    # -- phases ----------------------------------------------------------------------------------

    def before_the_open(self, steps):
        """Indicative prices before the open, and the first quotes."""
        r = self.random
        for i in range(steps):
            at = PRE_OPEN + (OPEN - PRE_OPEN) * i // steps
            lines = []
            for k in range(max(self.size["trades"] // 2, 1)):
                name, mid = self.market.pick()
                price = f"{mid:.{self.market.digits[name]}f}"
                lines.append(f"indicative,symbol={name} price={price},imbalance={r.randrange(-900, 900) * 100}i {at + k * 1000 + r.randrange(900)}")
            if i % 3 == 0:
                lines += self.stamped([self.market.quote() for _ in range(self.size["quotes"])], at, at + MINUTE)
            if i == 0:
                lines += [f"{self.market.trade_of(name)} {at + k * MINUTE // 20}" for k, name in enumerate(self.market.names)]
            if i % 4 == 0:
                moments = sorted(r.randrange(at, at + MINUTE) for _ in range(self.size["orders"]))
                lines += [self.orders.event(moment) for moment in moments]
            self.db.ilp(lines)
            self.sleep(0.12 / steps)

    def step(self, start, end, i, steps):
        """What arrives between two moments: quotes, trades, orders; some of it is held back."""
        r, size = self.random, self.size
        lines = self.stamped([self.market.quote() for _ in range(r.randrange(1, 2 * size["quotes"]))], start, end)
        if i % 5:
            trades = self.stamped([self.market.trade(r.choice(self.venues)) for _ in range(r.randrange(1, 2 * size["trades"]))], start, end)
            held = [t for t in trades if r.random() < 0.06]
            self.late += held
            lines += [t for t in trades if t not in held] if held else trades
        if i % 2:
            moments = sorted(r.randrange(start, end) for _ in range(r.randrange(1, 2 * size["orders"] + 1)))
            lines += [self.orders.event(at) for at in moments]
        self.db.ilp(lines)
        if i in (int(steps * 0.25), int(steps * 0.47), int(steps * 0.71)):
            self.db.snapshot("trades", "orders", "quotes")
        # The slow feed delivers an hour's worth at once, from its own connections.
        if i % (steps // 12) == steps // 12 - 1:
            self.deliver_late(len(self.late) * 2 // 3)

    def deliver_late(self, count):
        chosen, self.late = self.late[:count], self.late[count:]
        self.random.shuffle(chosen)
        half = len(chosen) // 2
        self.db.parallel([lambda: self.db.ilp(chosen[:half]), lambda: self.db.ilp(chosen[half:])])

    def add_venue(self):
        self.db.sql("ALTER TABLE trades ADD COLUMN venue SYMBOL CAPACITY 16")
        self.venues = ["lit", "lit", "lit", "dark", "auction", None]

    def widen_size(self):
        self.db.sql("ALTER TABLE quotes ALTER COLUMN bid_size TYPE LONG")

    def refresh(self):
        self.db.refresh_view("bars")

    # -- helpers ---------------------------------------------------------------------------------

    def stamped(self, lines, start, end):
        """The lines with increasing times, now and then a little out of order."""
        r = self.random
        moments = sorted(r.randrange(start, end) for _ in lines)
        if len(moments) > 2 and r.random() < 0.1:
            moments[-1], moments[0] = moments[0], moments[-1]
        return [f"{line} {at}" for line, at in zip(lines, moments)]

    def pause(self, fraction):
        self.sleep(fraction)

    def sleep(self, fraction):
        time.sleep(self.size["seconds"] * fraction)
