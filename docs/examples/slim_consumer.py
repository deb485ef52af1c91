#!/usr/bin/env python3
"""Keeps the newest slim events, orders and refunds in a SQLite file, as an example of how to read the slim topics.

It relies on the promise of order: when an order is in its topic, the record of its event is in the events topic already, and
likewise the order of a refund. A consumer gets the topics independently of each other, so the order may be handed to it first;
then it is enough to read the other topic up to where it ends now.

It may be killed at any moment: a batch is committed to Kafka after it has been stored, so that some records come again after a
restart, and storing a record twice is storing it once.

One process, JSON, editions 1.0 and 2.0. The password is taken from the environment variable SLIM_PASSWORD.
Exit codes: 0 stopped by SIGTERM or SIGINT, or at the end with --until-end; 1 failed, or a promise was broken; 2 could not
start: arguments, files, no broker that answers, topics that are not there.
"""

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import sys

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.helpers import create_ssl_context


class Store:
    """The newest record of every key, and which order has which ticket."""

    def __init__(self, path):
        self.db = sqlite3.connect(path)
        self.db.executescript(
            "CREATE TABLE IF NOT EXISTS records (topic TEXT, key TEXT, value TEXT, PRIMARY KEY (topic, key));"
            "CREATE TABLE IF NOT EXISTS tickets (id TEXT PRIMARY KEY, order_id TEXT);"
        )

    def has(self, topic, key):
        return self.db.execute("SELECT 1 FROM records WHERE topic = ? AND key = ?", (topic, key)).fetchone() is not None

    def has_ticket(self, ticket):
        return self.db.execute("SELECT 1 FROM tickets WHERE id = ?", (ticket,)).fetchone() is not None

    def put(self, topic, key, value, tickets=()):
        """Stores a record. Returns whether it says anything new: duplicates do not."""
        old = self.db.execute("SELECT value FROM records WHERE topic = ? AND key = ?", (topic, key)).fetchone()
        self.db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (topic, key, value))
        self.db.executemany("INSERT OR REPLACE INTO tickets VALUES (?, ?)", [(ticket, key) for ticket in tickets])
        return old is None or old[0] != value

    def remove(self, topic, key):
        self.db.execute("DELETE FROM records WHERE topic = ? AND key = ?", (topic, key))


class Reader:
    def __init__(self, consumer, store, topics, show):
        self.consumer, self.store, self.show = consumer, store, show
        self.events, self.orders, self.refunds = topics
        self.seen = self.duplicates = self.waits = 0

    async def run(self, stop, until_end):
        ends = None
        while not stop.is_set():
            batch = await self.consumer.getmany(timeout_ms=200)
            for topic in (self.events, self.orders, self.refunds):  # spares most of the waiting
                for partition, records in batch.items():
                    if partition.topic == topic:
                        await self.take_all(records)
            if batch:
                self.store.db.commit()
                await self.consumer.commit()  # after the records are stored, never before
            if until_end and self.consumer.assignment():
                ends = ends or await self.consumer.end_offsets(self.consumer.assignment())
                if await self.reached(ends):
                    return

    async def take_all(self, records):
        for record in records:
            await self.take(record)

    async def take(self, record):
        headers = {name: value.decode() for name, value in record.headers}
        self.seen += 1
        self.print(record, headers)
        key = record.key.decode()
        if record.value is None:  # a tombstone: nobody writes one today, and it can mean one thing only
            self.store.remove(record.topic, key)
            return
        if headers.get("content-type") != "application/json" or headers.get("schema-version") not in ("1.0", "2.0"):
            # Do not skip it: it would be lost. Stop, and read on where this was when you understand it.
            raise SystemExit(f"{where(record)}: {headers} is no encoding that this program knows")
        value = json.loads(record.value)
        tickets = []
        if record.topic == self.orders:
            tickets = [ticket["id"] for ticket in value["tickets"]]
            events = {ticket["event_id"] for ticket in value["tickets"]}
            await self.need(record, self.events, lambda: all(self.store.has(self.events, event) for event in events))
        elif record.topic == self.refunds:
            # One ticket is enough: a refund may name some that its order does not have.
            await self.need(record, self.orders, lambda: any(map(self.store.has_ticket, value["ticket_ids"])))
        if not self.store.put(record.topic, key, record.value.decode(), tickets):
            self.duplicates += 1

    async def need(self, record, topic, there):
        """Reads the topic to its end if what the record needs is not there yet."""
        if there():
            return
        self.waits += 1
        partitions = [p for p in self.consumer.assignment() if p.topic == topic]
        ends = await self.consumer.end_offsets(partitions)
        while not await self.reached(ends):
            for records in (await self.consumer.getmany(*partitions, timeout_ms=200)).values():
                await self.take_all(records)
        if not there():
            raise SystemExit(f"{where(record)}: what it needs is not in {topic}")

    async def reached(self, ends):
        for partition, end in ends.items():
            if await self.consumer.position(partition) < end:
                return False
        return True

    def print(self, record, headers):
        if self.show:
            line = {"topic": record.topic, "partition": record.partition, "offset": record.offset, "key": record.key.decode()}
            line |= {"headers": headers, "value": record.value and record.value.decode()}
            print(json.dumps(line, ensure_ascii=False), flush=True)


def refuse(why):
    """Ends the program before it has read anything."""
    print(why, file=sys.stderr)
    raise SystemExit(2)


def where(record):
    return f"{record.topic}/{record.partition}/{record.offset}"


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bootstrap", required=True, help="HOST:PORT, several separated by commas")
    p.add_argument("--topics", default="events,orders,refunds", help="the three topics, in this order")
    p.add_argument("--group", required=True, help="consumer group: starts with your login's prefix")
    p.add_argument("--database", default="slim.db", help="SQLite file; remove it, and take another group, to read all again")
    p.add_argument("--security-protocol", default="SASL_SSL", choices=["SASL_SSL", "SSL", "SASL_PLAINTEXT", "PLAINTEXT"])
    p.add_argument("--sasl-mechanism", default="SCRAM-SHA-512")
    p.add_argument("--username")
    p.add_argument("--ca-file", help="PEM file of the authority that signed the brokers' certificates")
    p.add_argument("--until-end", action="store_true", help="stop at the end of the topics")
    p.add_argument("--show", action="store_true", help="print every record as a line of JSON, personal data included")
    return p.parse_args()


def security(args):
    options = {"security_protocol": args.security_protocol}
    if "SSL" in args.security_protocol.split("_"):
        try:
            options["ssl_context"] = create_ssl_context(cafile=args.ca_file)
        except OSError as error:  # of ssl, too
            refuse(f"--ca-file {args.ca_file}: {error}")
    if args.security_protocol.startswith("SASL_"):
        if not args.username or not os.environ.get("SLIM_PASSWORD"):
            refuse(f"{args.security_protocol} wants a login: give --username, and the password in the environment variable SLIM_PASSWORD")
        options["sasl_mechanism"] = args.sasl_mechanism
        options["sasl_plain_username"] = args.username
        options["sasl_plain_password"] = os.environ["SLIM_PASSWORD"]
    return options


async def start(consumer, args, topics):
    try:
        await consumer.start()
    except KafkaConnectionError:
        refuse(f"no broker of {args.bootstrap} can be used by {args.security_protocol}: see above")
    missing = set(topics) - await consumer.topics()
    if missing:  # asked for first: a subscription would wait for them
        refuse(f"there is no topic {', '.join(sorted(missing))}, or {args.username or 'who does not log in'} may not see it")
    consumer.subscribe(topics)


async def main():
    args = arguments()
    topics = args.topics.split(",")
    if len(topics) != 3:
        refuse(f"--topics {args.topics}: want the names of three topics: those of events, orders and refunds")
    try:
        store = Store(args.database)
    except sqlite3.Error as error:
        refuse(f"--database {args.database}: {error}")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=args.bootstrap,
        group_id=args.group,
        auto_offset_reset="earliest",  # a new group begins with what is there
        enable_auto_commit=False,  # see Reader.run
        **security(args),
    )
    reader = Reader(consumer, store, topics, args.show)
    try:
        await start(consumer, args, topics)
        await reader.run(stop, args.until_end)
    except KafkaError as error:
        raise SystemExit(f"failed: {error!r}")
    finally:
        await consumer.stop()
    print(f"{reader.seen} records, {reader.duplicates} of them duplicates, {reader.waits} came before what they need", file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main())
