"""One module per noun of Confluent's API: a request into a call, its value into JSON."""
