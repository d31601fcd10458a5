"""The suite of `silver.index_prices`."""

from __future__ import annotations

from expectations.rules import (
    Rule,
    Suite,
    above_zero,
    day_agrees,
    one_of,
    provenance,
    required,
    within_history,
)
from lake.schemas_of_indexes import INDEX_PRICES

_MINUTE = 60_000_000
#: How long (µs) after its minute's end the price was, below zero before it.
_AFTER = f"unix_micros(price_timestamp) - unix_micros(minute) - {_MINUTE}"
_OUTSIDE = (
    f"CASE price_source WHEN 'deribit_price_index' THEN {_AFTER} NOT BETWEEN -{_MINUTE} AND -1"
    f" ELSE {_AFTER} NOT BETWEEN 0 AND {_MINUTE - 1} END"
)
#: A poll comes seconds after the minute's end.
_LATE = "price_source = 'get_index_price' AND " + _AFTER + " > 30000000"
#: The unit of a time as sent tells where it is from.
_TIME = (
    "timestamp_source <> CASE price_source WHEN 'deribit_price_index' THEN 'exchange'"
    " ELSE 'server_answer_time' END"
)


def suite(*, reduced: bool = False) -> Suite:
    """Return the rules of a batch, which holds many prices of a minute: no key is checked.

    The one that stands for the minute is chosen when the batch is stored.
    """
    del reduced
    of_indexes = one_of("kind", ("index",))
    rules = (
        required(INDEX_PRICES),
        *[rule for rule in provenance() if rule.name != of_indexes.name],
        of_indexes,
        one_of("price_source", ("deribit_price_index", "get_index_price")),
        Rule("timestamp_source_agrees_with_price_source", _TIME),
        within_history("price_timestamp"),
        day_agrees("minute"),
        Rule("minute_on_the_minute", f"pmod(unix_micros(minute), {_MINUTE}) <> 0"),
        Rule("price_stands_for_its_minute", _OUTSIDE),
        above_zero("price"),
        Rule("estimated_delivery_price_above_zero", "estimated_delivery_price <= 0", "warning"),
        Rule("polled_within_half_a_minute", _LATE, "warning"),
    )
    return Suite(rules)
