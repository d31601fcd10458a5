"""The minute service: index prices and newest bars, on the clock of the exchange."""
