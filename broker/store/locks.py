"""Advisory locks of the database: what only one process does at a time. Each number stands once."""

MIGRATE = 0x77656972_0001
RELAY = 0x77656972_0002
PROVISION = 0x77656972_0003
BILL = 0x77656972_0005
